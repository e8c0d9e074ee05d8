"""A page is made once for all who see the same; nobody gets another's, and nobody what is no longer so."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.test import Client
from django.urls import reverse

from dashboard import databases, remembered
from dashboard.access import Reader
from dashboard.models import CostSnapshot, DayNote, NameAlias, Team, TeamLimit
from dashboard.remembered import Kept
from dashboard.urls import urlpatterns
from dashboard.views import kept

from .conftest import make_cost, make_job, make_team, make_user
from .limited import limited

MARCH = "?start=2025-03-01&end=2025-03-31"
MEGABYTE = 1024**2
# Few ask for them, each for another one, or they wait for what the reader does next.
MADE_EACH_TIME = {
    *("closing_month", "job", "imports", "import", "import_review", "import_undo"),
    "theme",  # only a form is sent there
}
BLANK = re.compile(rb"\n\s*\n")
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w{64}"')


@pytest.fixture
def keeping(monkeypatch: Any) -> Kept:
    """Within a test's transaction SQLite cannot tell what was written: there its own changes are counted."""
    pages = Kept(most=32 * MEGABYTE)
    monkeypatch.setattr(kept, "PAGES", pages)
    if connection.vendor == "sqlite":
        for module in (kept, remembered):
            monkeypatch.setattr(module, "state", lambda asked: asked.connection.total_changes)
    return pages


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def is_kept(view: Any) -> bool:
    while view is not None:
        if view.__code__.co_filename == kept.__file__:
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def kept_pages() -> Iterator[str]:
    for pattern in urlpatterns:
        if is_kept(pattern.callback):
            yield pattern.name


def test_all_pages_of_figures_are_kept():
    assert {pattern.name for pattern in urlpatterns} - set(kept_pages()) == MADE_EACH_TIME


def test_the_second_visit_asks_only_who_it_is_and_whether_anything_was_written(
    company, manager, keeping, django_assert_max_num_queries
):
    client = signed_in(manager)
    first = client.get(reverse("overview"))
    with django_assert_max_num_queries(5 if connection.vendor == "postgresql" else 6):
        second = client.get(reverse("overview"))
    assert TOKEN.sub(b"", second.content) == TOKEN.sub(b"", first.content)
    assert len(keeping.months) == 1


@pytest.fixture
def few_days(partly_metered: None) -> None:
    """Three days, with a job of each kind and team, are as good as two months and drawn in half the time."""
    make_job("2025-03-01 00:00", "2025-03-01 09:00", model_name="whisper", team="speech")
    make_job("2025-03-02 00:00", "2025-03-02 05:00", status="failed")
    make_job("2025-03-08 06:00", None, status="running", gpu_count=2)


def test_everybody_gets_what_they_would_get_without(few_days, keeping, monkeypatch):
    """Of each page, in one order and then in the other."""
    author = make_user("nora", "Viewer")
    author.user_permissions.add(*Permission.objects.filter(codename__in=("add_daynote", "change_daynote")))
    DayNote.objects.create(day="2025-03-05", provider="AWS", text="a purchase", author=author)
    people = {
        "ada": make_user("ada", "Admin", is_staff=True),
        "rita": make_user("rita", "Admin", is_superuser=True),
        "fiona": make_user("fiona", "Finance"),
        "frank": make_user("frank", "Finance"),
        "nora": author,
        "otto": make_user("otto", "Viewer"),
        "lena": limited("lena", "vision"),
        "luis": limited("luis", "speech"),
    }
    otto = people["otto"]
    otto.user_permissions.add(*Permission.objects.filter(codename__in=("add_daynote", "change_daynote")))
    clients = {name: signed_in(user) for name, user in people.items()}
    addresses = [page_address(name) for name in kept_pages()]
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "most", 0)
        alone = {(name, page): seen(clients[name], page) for page in addresses for name in clients}
    for page in addresses:
        for name in (*clients, *reversed(clients)):
            assert seen(clients[name], page) == alone[name, page], f"{page} of {name}"
    assert b"Leave a note" in alone["nora", page_address("costs")][1]
    assert alone["nora", page_address("costs")] != alone["otto", page_address("costs")], "only her own note"


def page_address(name: str) -> str:
    of_a_team = {"pk": make_team("vision").pk} if name in ("team", "statement") else {}
    return reverse(name, kwargs=of_a_team)


def seen(client: Client, page: str) -> tuple[int, bytes]:
    answer = client.get(page)
    assert kept.SECRET.encode() not in answer.content
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    if answer.status_code != 200:  # which tells the number of the request
        return answer.status_code, b""
    return 200, BLANK.sub(b"\n", TOKEN.sub(b"", answer.content))


def test_what_is_a_person_s_own_is_filled_in(company, keeping):
    fiona, frank = (signed_in(make_user(name, "Finance")) for name in ("fiona", "frank"))
    for client, name, other in ((fiona, "fiona", "frank"), (frank, "frank", "fiona")) * 2:
        page = client.get(reverse("costs")).content.decode()
        assert f"</span>{name}</summary>" in page and other not in page
    assert len(keeping.months) == 1


def test_a_form_of_a_page_made_for_somebody_else_can_be_sent(company, keeping):
    ada = signed_in(make_user("ada", "Admin", is_staff=True))
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("alan", "Admin", is_staff=True))
    ada.get(reverse("costs") + MARCH)
    page = client.get(reverse("costs") + MARCH)
    assert len(keeping.months) == 1
    [_, *tokens] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    token = tokens[-1]
    form = {"do": "note", "day": "2025-03-05", "text": "a purchase", "csrfmiddlewaretoken": token}
    assert client.post(reverse("costs") + MARCH, form).status_code == 302
    assert client.post(reverse("costs") + MARCH, form | {"csrfmiddlewaretoken": "x" * 64}).status_code == 403
    assert DayNote.objects.get().author.username == "alan"


def test_a_message_is_told_once_and_to_nobody_else(company, keeping):
    ada, alan = (signed_in(make_user(name, "Admin", is_staff=True)) for name in ("ada", "alan"))
    ada.post(reverse("costs") + MARCH, {"do": "note", "day": "2025-03-05", "text": "a purchase"})
    told = [client.get(reverse("costs") + MARCH).content for client in (alan, ada, ada, alan)]
    assert [b"is kept." in page for page in told] == [False, True, False, False]
    assert all(b"a purchase" in page for page in told)


def test_each_theme_has_its_own_page(company, manager, keeping):
    client = signed_in(manager)
    for theme in ("dark", "light", "dark"):
        client.cookies["theme"] = theme
        page = client.get(reverse("costs")).content.decode()
        assert f'data-bs-theme="{theme}"' in page
        assert page.count('aria-pressed="true"') == 1 and f'"{theme}" aria-pressed="true"' in page


def a_cost():
    CostSnapshot.objects.filter(provider="Lambda", date="2025-03-05").update(cost_usd="123456.78")


def a_cost_by_another_program():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cost_snapshots SET cost_usd = 123456.78 WHERE date = '2025-03-05'")


def an_alias():
    NameAlias.objects.create(kind="provider", alias="Lambda", alias_key="lambda", name="Lambda Labs")


def a_note():
    DayNote.objects.create(day="2025-03-05", provider="AWS", text="a purchase")


def a_row_gone():
    CostSnapshot.objects.filter(provider="Azure", date="2025-03-05").delete()


@pytest.mark.parametrize(
    "change",
    [a_cost, a_cost_by_another_program, an_alias, a_note, a_row_gone],
    ids=lambda change: change.__name__,
)
def test_whatever_is_written_is_seen_at_once(company, manager, keeping, monkeypatch, change):
    client = signed_in(manager)
    before = seen(client, reverse("costs") + MARCH)
    change()
    after = seen(client, reverse("costs") + MARCH)
    monkeypatch.setattr(keeping, "most", 0)
    assert after == seen(client, reverse("costs") + MARCH) != before


def no_group(user: Any) -> None:
    user.groups.clear()


def a_group_that_may_less(user: Any) -> None:
    [group] = user.groups.all()
    group.permissions.remove(Permission.objects.get(codename="view_job"))


def a_limit(user: Any) -> None:
    TeamLimit.objects.create(user=user).teams.set([make_team("vision")])


def no_permission_left(user: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_group_permissions")


@pytest.mark.parametrize(
    "change",
    [no_group, a_group_that_may_less, a_limit, no_permission_left],
    ids=lambda change: change.__name__,
)
def test_a_right_that_is_taken_away_is_gone_at_once(company, manager, keeping, change):
    client = signed_in(manager)
    assert [client.get(reverse("costs")).status_code for _ in range(2)] == [200, 200]
    change(manager)
    assert [client.get(reverse("costs")).status_code for _ in range(2)] == [403, 403]


def test_a_right_that_is_given_is_there_at_once(company, keeping):
    client = signed_in(make_user("vera", "Viewer"))
    assert b"Download CSV" not in client.get(reverse("costs")).content
    Group.objects.get(name="Viewer").permissions.add(Permission.objects.get(codename="export_files"))
    assert b"Download CSV" in client.get(reverse("costs")).content


def test_a_minute_later_it_is_made_anew(company, manager, keeping, as_of):
    """Two jobs run in this company, so that their hours move."""
    client = signed_in(manager)
    before = seen(client, reverse("running"))
    as_of("2025-03-31 12:01")
    after = seen(client, reverse("running"))
    assert after != before and b"12:01" in after[1]


# A view by itself


@pytest.fixture
def asked(keeping, monkeypatch, rf, manager) -> Any:
    """Of a view that gives what it is told to: how often it was asked, and how it is asked again."""
    told = SimpleNamespace(times=0, answer=lambda: HttpResponse("a page"), request=rf.get("/costs/"))

    @kept.kept
    def view(request: Any) -> Any:
        told.times += 1
        told.reader = request.user
        return told.answer()

    def ask(request: Any = None) -> Any:
        request = request or told.request
        request.user, request.resolver_match = manager, None
        return view(request)

    told.ask = ask
    return told


def test_a_view_is_asked_once_and_not_told_who_asks(asked, manager):
    assert [asked.ask().content for _ in range(3)] == [b"a page"] * 3
    assert asked.times == 1
    assert asked.reader == Reader.like(manager)
    for name in ("username", "get_username", "email", "groups", "first_name"):
        assert not hasattr(asked.reader, name)
    assert asked.reader.pk is None


@pytest.mark.parametrize(
    "answer",
    [
        lambda: HttpResponseRedirect("/"),
        lambda: HttpResponse("wrong", status=400),
        lambda: FileResponse(b"a file"),
        lambda: with_cookie(),
    ],
)
def test_only_pages_are_kept(asked, answer):
    asked.answer = answer
    asked.ask()
    asked.ask()
    assert asked.times == 2


def with_cookie() -> HttpResponse:
    answer = HttpResponse("for one")
    answer.set_cookie("for", "one")
    return answer


def test_files_and_forms_are_not_kept(asked, rf):
    for request in (rf.get("/costs/?_export=csv"), rf.post("/costs/"), rf.head("/costs/")):
        before = asked.times
        asked.ask(request)
        asked.ask(request)
        assert asked.times == before + 2


@pytest.mark.parametrize("other", ["/costs/?provider=AWS", "/costs/?", "/usage/"])
def test_each_address_has_its_own_page(asked, rf, other):
    asked.ask()
    asked.ask(rf.get(other))
    assert asked.times == (1 if other == "/costs/?" else 2)


def test_each_host_has_its_own_page(asked, rf, settings):
    settings.ALLOWED_HOSTS = ["heliox.example.com", "testserver"]
    asked.ask()
    asked.ask(rf.get("/costs/", headers={"host": "heliox.example.com"}))
    assert asked.times == 2


def test_a_page_of_the_replica_is_not_that_of_the_primary(asked, monkeypatch):
    asked.ask()
    other = SimpleNamespace(alias="replica", vendor=connection.vendor)
    monkeypatch.setattr(kept, "reading", lambda: other)
    monkeypatch.setattr(kept, "state", lambda of: 1)
    asked.ask()
    asked.ask()
    assert asked.times == 2
    assert databases.reading().alias == "default"


def test_what_was_written_while_a_page_was_made_is_on_the_next(asked):
    def answer():
        page = HttpResponse(str(Team.objects.count()))
        make_team(f"team {asked.times}")
        return page

    asked.answer = answer
    assert [asked.ask().content for _ in range(3)] == [b"0", b"1", b"2"]


def test_where_nobody_can_tell_what_was_written_nothing_is_kept(asked, monkeypatch):
    monkeypatch.setattr(kept, "state", lambda of: None)
    asked.ask()
    asked.ask()
    assert asked.times == 2


def test_a_page_that_fails_is_tried_again(asked):
    def answer():
        raise ValueError("for once")

    asked.answer = answer
    for _ in range(2):
        with pytest.raises(ValueError, match="for once"):
            asked.ask()
    asked.answer = lambda: HttpResponse("at last")
    assert asked.ask().content == b"at last"


def test_there_is_no_more_of_it_than_has_room(asked, keeping, rf):
    keeping.most = 8 * MEGABYTE
    asked.answer = lambda: HttpResponse(b"x" * MEGABYTE)
    for number in range(20):
        asked.ask(rf.get(f"/costs/?page={number}"))
    assert 6 * MEGABYTE < keeping.rows <= keeping.most
    asked.answer = lambda: HttpResponse(b"x" * 3 * MEGABYTE)
    asked.ask(rf.get("/usage/"))
    asked.ask(rf.get("/usage/"))
    assert asked.times == 22, "one page may not drive out the others"


def test_of_many_who_ask_for_the_same_page_one_makes_it(asked, monkeypatch):
    """The others wait; and not for ever, should the first not come back."""
    reader = asked.ask() and asked.reader
    asked.times = 0
    monkeypatch.setattr(kept, "state", lambda of: "another")
    monkeypatch.setattr(Reader, "like", lambda of: reader)
    begun, goes_on = threading.Event(), threading.Event()

    def answer():
        begun.set()
        assert goes_on.wait(60)
        return HttpResponse("a page")

    asked.answer = answer
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(asked.ask().content)) for _ in range(3)]
    threads[0].start()
    assert begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    goes_on.set()
    for thread in threads:
        thread.join(60)
    assert got == [b"a page"] * 3 and asked.times == 1


def test_those_who_waited_in_vain_make_the_page_side_by_side(asked, monkeypatch):
    """One by one, each would wait for the same held table again, behind all others."""
    reader = asked.ask() and asked.reader
    monkeypatch.setattr(kept, "state", lambda of: "another")
    monkeypatch.setattr(Reader, "like", lambda of: reader)
    begun, goes_on, together = threading.Event(), threading.Event(), threading.Barrier(3)

    def answer():
        if not begun.is_set():
            begun.set()
            assert goes_on.wait(60)
        else:
            together.wait(kept.PATIENCE / 3)
        return HttpResponse("a table is held", status=503)

    asked.answer = answer
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(asked.ask().status_code)) for _ in range(4)]
    threads[0].start()
    assert begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    goes_on.set()
    for thread in threads:
        thread.join(60)
    assert got == [503] * 4


def test_while_a_page_is_made_anew_others_get_the_old_one_for_another_minute(asked, as_of, monkeypatch):
    monkeypatch.setattr(kept, "PATIENCE", 0.01)
    as_of("2025-03-31 12:00:00")
    asked.answer = lambda: HttpResponse("of noon")
    asked.ask()
    asked.answer = lambda: HttpResponse(during() or "of a minute later")

    def during() -> None:
        asked.answer = lambda: HttpResponse("of two minutes later")
        assert asked.ask().content == b"of noon"
        as_of("2025-03-31 12:02:00")
        assert asked.ask().content == b"of two minutes later", "that is too old"

    as_of("2025-03-31 12:01:00")
    assert asked.ask().content == b"of a minute later"


def test_nobody_waits_for_ever_for_a_page_that_is_being_made(asked, monkeypatch):
    monkeypatch.setattr(kept, "PATIENCE", 0.01)
    for lock in kept.MAKING:
        lock.acquire()
    try:
        assert asked.ask().content == b"a page"
    finally:
        for lock in kept.MAKING:
            lock.release()


def test_a_text_that_looks_like_an_opening_is_text(company, manager, keeping):
    make_cost("2025-03-05", "1.00", provider="[nav] [x csrf_token]")
    client = signed_in(manager)
    for _ in range(2):
        assert b"[nav] [x csrf_token]" in client.get(reverse("costs") + MARCH).content


def test_a_page_lasts_for_half_a_minute_to_a_minute():
    lasting = {kept.lasts(bytes([0, second])) for second in range(256)}
    assert len(lasting) == 256
    assert (min(lasting), max(lasting)) == (kept.MINUTE / 2, kept.MINUTE)
