"""Who is limited to teams sees their hours, shares and rates, and nothing that tells of the others."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from html import unescape
from itertools import pairwise, product
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import resolve, reverse

from dashboard import rollups
from dashboard.closing import close_month
from dashboard.exports import FORMATS
from dashboard.filters import SHARED_BY
from dashboard.joblist import SORTS
from dashboard.models import (
    CostSnapshot,
    Delivery,
    ImportRun,
    Job,
    SpendMapping,
    Team,
    TeamLimit,
    UsageSnapshot,
)
from dashboard.reports.sharing import IDLE_VIEWS
from dashboard.tables import RunningTable, ShareTable, TeamTable

from .conftest import at, make_cost, make_job, make_team, make_usage, make_user
from .test_access_matrix import MATRIX, WHO
from .test_allocation import a_log_speaks_of, make_lines

SECRETS = {
    "names": r"covert|whisper",
    "hours of the others": r"\b69\.(?:79|8\b)|\b34\.2",
    "hours of all together": r"\b99\.(?:79|8\b)|\b46\.2",
    "their cost": r"770\.06|377\.36|62\.89",
    "idle cost": r"666\.66|\b2\.32\b|331\.72|332\.18|771\.(?:22|68)",
    "the bill": r"333\.33|1,?103\.40|1,?770\.06",
    "a closed month": r"66\.2|110\.34|\b11\.03\b",
}
SECRET = re.compile("|".join(SECRETS.values()), re.IGNORECASE)
PAGES = ("teams", "allocation", "jobs", "running", "help")
WITHOUT_FILES = ("job", "help")
CLOSED = (
    "costs",
    "usage",
    "bridge",
    "unit_prices",
    "waste",
    "anomalies",
    "forecast",
    "budgets",
    "closing",
    "contracts",
    "reconcile",
    "quality",
    "mappings",
    "imports",
    "admin:index",
)
MARCH = "start=2025-03-01&end=2025-03-09"
RANGES = (MARCH, "preset=all&compare=last_month", "preset=last7", "preset=ytd")
VIEWS = (*(f"idle={view}" for view in IDLE_VIEWS), "basis=billed", "bucket=week", "compare=last_year")
MONTHS = ("2025-03", "2025-03&idle=evenly", "2025-03&basis=billed", "2025-02", "2025-02&as=now", "2025-04")
FURTHER_FILES = ("entries", "runs", "idle", "stuck", "restated")


@pytest.fixture(autouse=True)
def two_teams(db, as_of):
    """On 3 March $1,103.40 for 100 metered hours: 30 of vision for $331.02, 69.79 of covert for $770.06.

    What is left, 0.21 hours for $2.32, and $666.66 of L4s are idle. Of the $2.32 vision would bear $0.70 by
    use and $1.16 evenly. Since six o’clock 2 GPUs of vision and 5.7 of covert run: 12 hours and 34.2.
    """
    as_of("2025-03-10 12:00")
    make_cost("2025-03-03", "1103.40")
    make_usage("2025-03-03", "100.00")
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal(3))
    covert = {"team": "covert", "model_name": "whisper"}
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal("6.979"), **covert)
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal(2))
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal("5.7"), **covert)
    make_cost("2025-03-04", "333.33", gpu_type="L4")
    make_cost("2025-03-09", "333.33", gpu_type="L4")
    a_log_speaks_of("2025-03-01 00:00", "2025-03-09 23:00", "AWS")
    rollups.settle()


@pytest.fixture
def closed_february(two_teams) -> None:
    """$110.34 for 10 metered hours: 3 of vision for $33.10, 6 of covert for $66.21, and $11.03 idle."""
    make_cost("2025-02-03", "110.34")
    make_usage("2025-02-03", "10.00")
    make_job("2025-02-03 00:00", "2025-02-03 03:00")
    make_job("2025-02-03 00:00", "2025-02-03 06:00", team="covert", model_name="whisper")
    rollups.settle()
    close_month(date(2025, 2, 1), make_user("cleo", "Finance"), "effective", "apart")


def limited(name: str, *teams: str, role: str = "Manager") -> User:
    user = make_user(name, role, is_staff=role == "Admin")
    TeamLimit.objects.create(user=user).teams.set([make_team(team) for team in teams])
    return user


@pytest.fixture
def own() -> Client:
    """Of a manager who is limited to vision."""
    client = Client()
    client.force_login(limited("lena", "vision"))
    return client


def team(name: str) -> UUID:
    return Team.objects.get(name=name).pk


def text_of(answer: Any) -> str:
    """Of a workbook: all that its sheets hold and are called, but not when it was made."""
    content = b"".join(answer.streaming_content if answer.streaming else [answer.content])
    if not content.startswith(b"PK"):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = sorted(name for name in book.namelist() if name != "docProps/core.xml")
        return "\n".join(f"{name}\n{book.read(name).decode()}" for name in names)


def asking(page: str, *queries: str) -> list[str]:
    return [f"{page}?{query}" for query in queries]


def sorts(columns: Iterable[str]) -> list[str]:
    """Each column once, up and down in turn."""
    return [f"{MARCH}&sort={'-' * (place % 2)}{column}" for place, column in enumerate(columns)]


def every_page() -> list[str]:
    """All that is open to them, in each of its views, sorts, filters and searches."""
    vision, job = team("vision"), Job.objects.filter(team__name="vision").latest("end_time")
    ways = [f"{MARCH}&by={by}&then_by={then}" for by, then in pairwise((*SHARED_BY, "team"))]
    views = [f"{MARCH}&{view}" for view in VIEWS]
    return [
        *(f"{reverse(name)}?{days}" for name in PAGES for days in RANGES),
        *asking(reverse("allocation"), *ways, *views, *sorts(ShareTable.base_columns)),
        *asking(reverse("allocation"), f"{MARCH}&model=whisper", f"{MARCH}&by=model&per_page=1&page=2"),
        *asking(reverse("teams"), *views, *sorts(TeamTable.base_columns)),
        *asking(reverse("teams"), f"{MARCH}&status=running", f"{MARCH}&model=whisper"),
        *asking(reverse("jobs"), *sorts(SORTS), "sort=gpu_hours", "per_page=1", "per_page=1&before=end"),
        *asking(reverse("jobs"), "q=whisper", "q=covert&status=running", "q=resnet", "jump=2025-03-03"),
        *asking(reverse("jobs"), "model=whisper", "provider=AWS&gpu_type=L4", "quality=duplicates"),
        *asking(reverse("running"), *sorts(RunningTable.base_columns), "model=whisper", "basis=billed"),
        *asking(reverse("team", args=[vision]), *RANGES, *views, f"{MARCH}&model=whisper"),
        *asking(reverse("statement", args=[vision]), *(f"month={month}" for month in MONTHS)),
        reverse("job", args=[job.pk]),
    ]


def every_file(kind: str) -> list[str]:
    """Of each of these pages; no name of a further file leads to another."""
    pages = [url for url in every_page() if resolve(url.partition("?")[0]).url_name not in WITHOUT_FILES]
    one_of_each = {route(url): url for url in pages}.values()
    further = [f"{url}&file={name}" for url in one_of_each for name in FURTHER_FILES]
    return [f"{url}&_export={kind}" for url in (*pages, *further)]


def got(own: Client, urls: Iterable[str]) -> dict[str, str]:
    """What each address gives, with the name of its file, none of it about others."""
    others, found = ids_of_others(), {}
    for url in urls:
        answer = own.get(url)
        assert answer.status_code == 200, url
        found[url] = answer.get("Content-Disposition", "") + without_tokens(answer)
        told = re.sub("|".join(re.findall("whisper|covert", url)) or "$^", "", found[url])
        assert not SECRET.search(told), (url, SECRET.search(told))
        assert not others.search(told), url
    return found


def ids_of_others() -> re.Pattern[str]:
    jobs = Job.objects.filter(team__name="covert").values_list("pk", flat=True)
    ids = [str(pk) for pk in (team("covert"), *jobs)]
    return re.compile("|".join([*ids, *(pk.replace("-", "") for pk in ids)]))


def without_tokens(answer: Any) -> str:
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", text_of(answer))
    return re.sub(r"Request [0-9a-f-]+", "", text)


@pytest.mark.parametrize("kind", ["page", *FORMATS])
def test_nothing_tells_of_another_team_and_nothing_moves_with_it(own, closed_february, kind):
    """Not one character, though the bill, the idle cost and the hours of all have changed."""
    urls = every_page() if kind == "page" else every_file(kind)
    before = got(own, urls)
    others_do_more()
    for url, now in got(own, urls).items():
        assert now.splitlines() == before[url].splitlines(), url


def others_do_more() -> None:
    """At the same $11.034 an hour: on another day, in the closed month, and of what was idle on 3 March.

    And where nothing was metered, and one more of them runs something now.
    """
    make_cost("2025-03-05", "551.70")
    make_usage("2025-03-05", "50.00")
    CostSnapshot.objects.filter(date="2025-02-03").update(cost_usd="165.51")
    UsageSnapshot.objects.filter(date="2025-02-03").update(gpu_hours="15.00")
    covert = {"team": "covert", "model_name": "hush", "status": "failed"}
    make_job("2025-03-05 00:00", "2025-03-05 20:00", **covert)
    make_job("2025-02-03 06:00", "2025-02-03 11:00", **covert)
    make_job("2025-03-03 20:00", "2025-03-03 20:12", team="unheard of", model_name="whisper")
    make_job("2025-03-04 00:00", "2025-03-04 02:00", gpu_type="L4", **covert)
    for name in ("covert", "unheard of"):
        make_job("2025-03-10 01:00", None, team=name, model_name="whisper", status="running")
    Job.objects.filter(team__name="covert", status="completed").update(model_name="secretive")
    rollups.settle()


def test_what_others_pay_directly_and_leave_unused_moves_nothing(own, finance):
    """On 6 March $110.34 for 10 hours are shared: 3 of vision for $33.10, whatever stands beside."""
    SpendMapping.objects.create(provider="AWS", sub_account="whispering", team=make_team("covert"))
    make_job("2025-03-06 00:00", "2025-03-06 02:00", team="covert", model_name="whisper")
    job = make_job("2025-03-06 00:00", "2025-03-06 03:00")
    pages = [*asking(reverse("allocation"), MARCH), *asking(reverse("team", args=[team("vision")]), MARCH)]
    pages += asking(reverse("statement", args=[team("vision")]), "month=2025-03")
    urls = [*pages, *(f"{url}&_export=csv" for url in pages), reverse("job", args=[job.pk])]
    billed_beside("55.17", "5", unused="40.00")
    before = got(own, urls)
    assert "33.10" in before[urls[-1]]
    billed_beside("551.70", "50", unused="400.00")
    assert got(own, urls) == before
    everybody = Client()
    everybody.force_login(finance)
    told = text_of(everybody.get(pages[0]))
    assert "551.70" in told and "400.00" in told


def billed_beside(direct: str, hours: str, unused: str) -> None:
    Delivery.objects.all().delete()
    for of in (CostSnapshot, UsageSnapshot):
        of.objects.filter(date="2025-03-06").delete()
    beside = ("on_demand", "whispering", direct, hours), ("unused_commitment", "", unused, None)
    make_lines("2025-03-06", ("on_demand", "", "110.34", "10"), *beside)
    rollups.settle()


def test_who_sees_all_is_told_each_of_these_secrets(finance, closed_february):
    """Else it would be no wonder that nobody else is."""
    everybody = Client()
    everybody.force_login(finance)
    urls = (
        *(reverse("running"), f"{reverse('teams')}?{MARCH}", f"{reverse('costs')}?{MARCH}"),
        *asking(reverse("allocation"), MARCH, f"{MARCH}&idle=by_use"),
        *asking(reverse("statement", args=[team("covert")]), "month=2025-02", "month=2025-02&as=now"),
    )
    told = "".join(text_of(everybody.get(url)) for url in urls)
    assert [kind for kind, secret in SECRETS.items() if not re.search(secret, told)] == []
    assert ids_of_others().search(told)


def test_all_that_is_open_to_them_is_among_these_pages(own):
    place = WHO.index("of one team")
    lines = [line.split() for line in MATRIX.read_text().splitlines() if not line.startswith("#")]
    of_figures = re.compile(r"/(?!accounts/|admin/|healthz|readyz|metrics)")
    opened = {line[0] for line in lines if line[place + 1].startswith("200") and of_figures.match(line[0])}
    pages, files = every_page(), every_file("csv")
    assert opened == {route(url) for url in pages} | {f"{route(url)}?_export=csv" for url in files}


def route(url: str) -> str:
    return "/" + resolve(url.partition("?")[0]).route


def test_what_they_see_of_their_own_is_what_everybody_sees(own, finance):
    unlimited = Client()
    unlimited.force_login(finance)
    for url in (
        reverse("statement", args=[team("vision")]) + "?month=2025-03&_export=csv",
        reverse("team", args=[team("vision")]) + f"?{MARCH}&_export=csv",
        reverse("allocation") + f"?{MARCH}&team={team('vision')}&_export=csv",
        reverse("jobs") + f"?team={team('vision')}&_export=csv",
        reverse("running") + f"?team={team('vision')}&_export=csv",
    ):
        assert text_of(own.get(url)) == text_of(unlimited.get(url))
    assert "331.02" in text_of(own.get(reverse("allocation") + f"?{MARCH}"))


@pytest.mark.parametrize(
    ("idle", "came_to", "owed"), [("evenly", "10.00", "20.00"), ("by_use", "17.14", "12.86")]
)
def test_what_spread_idle_cost_came_to_later_is_told_to_who_sees_all(own, finance, idle, came_to, owed):
    """$100 for 10 hours on 3 January: vision used 3, covert 2, and 2 more that came late. Of $50 and then $30
    idle vision bears a half evenly, by use 3 of 5 and then of 7 parts.
    """
    make_cost("2025-01-03", "100.00")
    make_usage("2025-01-03", "10.00")
    make_job("2025-01-03 00:00", "2025-01-03 03:00")
    make_job("2025-01-03 00:00", "2025-01-03 02:00", team="covert", model_name="whisper")
    cleo = make_user("cleo", "Finance")
    close_month(date(2025, 1, 1), cleo, "effective", idle)
    make_job("2025-01-03 12:00", "2025-01-03 14:00", team="covert", model_name="whisper")
    make_cost("2025-02-03", "100.00")
    make_usage("2025-02-03", "10.00")
    make_job("2025-02-03 00:00", "2025-02-03 03:00")
    everybody = Client()
    everybody.force_login(finance)
    february = reverse("statement", args=[team("vision")]) + "?month=2025-02"
    waiting = "more of months that are closed already"
    assert waiting in text_of(everybody.get(february)) and waiting not in text_of(own.get(february))
    close_month(date(2025, 2, 1), cleo, "effective", "apart")
    told_by_it = re.compile(rf"prior period</|,prior period,|\b({re.escape(came_to)}|{re.escape(owed)})\b")
    for kind in ("", *(f"&_export={name}" for name in FORMATS)):
        told, whole = text_of(own.get(february + kind)), text_of(everybody.get(february + kind))
        assert re.search(r"\b30(\.00)?\b", told) and told_by_it.search(whole), kind
        assert not told_by_it.search(told), kind
    assert "is left out here" in text_of(own.get(february))
    assert "is left out here" not in text_of(everybody.get(february))


def test_without_a_choice_it_is_their_teams_and_not_all(own):
    chosen = own.get(reverse("allocation") + f"?{MARCH}&team={team('vision')}&_export=csv")
    assert text_of(own.get(reverse("allocation") + f"?{MARCH}&_export=csv")) == text_of(chosen)
    assert "2 jobs" in text_of(own.get(reverse("jobs") + "?preset=all"))


def test_the_rate_of_a_job_is_told_and_not_what_it_is_a_part_of(own, finance):
    job = reverse("job", args=[Job.objects.get(team__name="vision", status="completed").pk])
    assert "$11.0340/h × 30.000 h" in text_of(own.get(job))
    unlimited = Client()
    unlimited.force_login(finance)
    assert "$1,103.40 × 30.000 h ÷ 100.000 h" in text_of(unlimited.get(job))


def test_pages_of_all_teams_together_are_closed(own):
    for name in CLOSED:
        answer = own.get(reverse(name))
        assert answer.status_code in (403, 302), name
        assert answer.status_code == 403 or "login" in answer.headers["Location"], name
        for kind, file in product(FORMATS, ("", *FURTHER_FILES)):
            refused = own.get(reverse(name), {"_export": kind, "file": file})
            assert refused.status_code in (403, 302), (name, kind, file)
            assert not refused.has_header("Content-Disposition")
    assert own.get("/").headers["Location"] == reverse("teams")
    menu = text_of(own.get(reverse("teams")))
    assert not [name for name in CLOSED if f'href="{reverse(name)}"' in menu]


def test_the_ids_of_others_are_unknown_wherever_they_stand(own):
    covert, job = team("covert"), Job.objects.filter(team__name="covert")[0].pk
    oddly = f"{{{covert.hex[:3]}-{covert.hex[3:]}}}"
    for other in (covert, job, covert.hex, str(covert).upper(), covert.urn, oddly):
        for name in (*PAGES, *CLOSED, "overview"):
            assert own.get(reverse(name), {"team": other}).status_code == 404, name
            assert own.get(reverse(name), {"anything": f"x{other}"}).status_code == 404, name
            assert own.post(reverse(name), {"team": other}).status_code == 404, name
    for path in paths_of(covert, job):
        assert own.get(path).status_code == 404, path
        assert own.post(path).status_code == 404, path


def test_who_guesses_an_id_learns_not_whether_somebody_has_it(own):
    """Imports make them of a team's name, or of a cluster and a job's number, as anybody can."""
    covert, job, nobody = team("covert"), Job.objects.filter(team__name="covert")[0].pk, UUID(int=7)
    for send in (own.get, own.post):
        for name in (*PAGES, *CLOSED, "overview"):
            told = {told_of(send, reverse(name), guess) for guess in (covert, job, nobody)}
            assert len(told) == 1, name
        for theirs, unknown in zip(paths_of(covert, job), paths_of(nobody, nobody), strict=True):
            assert told_of(send, theirs, None) == told_of(send, unknown, None), theirs


def paths_of(team: UUID, job: UUID) -> list[str]:
    admin = "admin:dashboard_team_change"
    return [
        reverse("team", args=[team]),
        reverse("statement", args=[team]),
        reverse("job", args=[job]),
        reverse(admin, args=[team]),
        reverse(admin, args=[team.hex]),
        f"{reverse('teams')}?team={Team.objects.get(name='vision').pk}&team={team}",
    ]


def told_of(send: Any, path: str, guess: UUID | None) -> tuple[int, str]:
    """All that the answer says but for the number of the request."""
    answer = send(path, {"team": guess} if guess else {})
    return answer.status_code, re.sub(r"<code>[0-9a-f]{32}</code>", "", without_tokens(answer))


def test_their_own_ids_and_names_that_look_like_one_are_known(own):
    mine = Job.objects.filter(team__name="vision")[0]
    mine.model_name = UUID(int=7).hex
    mine.save()
    assert own.get(reverse("job", args=[mine.pk])).status_code == 200
    assert own.get(reverse("jobs"), {"team": team("vision"), "anything": mine.pk}).status_code == 200
    for name in ("q", "model"):
        assert mine.model_name in text_of(own.get(reverse("jobs"), {name: mine.model_name})), name


def test_a_password_and_the_way_back_may_look_like_an_id(own):
    new = UUID(int=7).hex + "9f86d081"
    old = {"old_password": UUID(int=8).hex, "new_password1": new, "new_password2": new}
    assert own.post(reverse("password_change"), old).status_code == 200, "the old password is wrong"
    back = f"{reverse('jobs')}?model=train-{UUID(int=7).hex}"
    assert own.post(reverse("theme"), {"theme": "dark", "next": back}).headers["Location"] == back


def test_tens_of_thousands_of_ids_are_not_looked_up(own, django_assert_max_num_queries):
    """It would take seconds."""
    for number in (1_001, 50_000):
        many = " ".join(str(UUID(int=n)) for n in range(number))
        with django_assert_max_num_queries(10) as asked:
            assert own.post(reverse("teams"), {"anything": many}).status_code == 404
        assert not [one for one in asked.captured_queries if "jobs" in one["sql"]]


def test_filters_offer_their_own_teams_and_models(own):
    form = own.get(reverse("jobs")).context["form"]
    assert [str(one) for one in form.fields["team"].queryset] == ["vision"]
    assert [value for value, _ in form.fields["model"].widget.choices] == ["resnet"]


def test_who_is_limited_to_hundreds_of_teams_can_follow_each_link():
    """Their ids would make an address longer than any that is read."""
    client = Client()
    client.force_login(limited("mona", "vision", *(f"team {number}" for number in range(200))))
    page = text_of(client.get(f"{reverse('teams')}?{MARCH}"))
    links = {unescape(link) for link in re.findall(r'href="(/[^"#]+\?[^"#]+)"', page)}
    assert {link.partition("?")[0] for link in links} >= {reverse("jobs"), reverse("allocation")}
    assert {client.get(link).status_code for link in links if "_export" not in link} == {200}


def test_who_is_limited_to_no_team_sees_nothing():
    client = Client()
    client.force_login(limited("nora"))
    for name in PAGES:
        answer = client.get(reverse(name))
        assert answer.status_code == 403
        assert "limited to teams and has none" in text_of(answer)


@pytest.mark.parametrize("role", ["Manager", None])
def test_who_sees_nothing_is_told_whom_to_ask_and_can_leave(role):
    user = limited("nora") if role else User.objects.create_user("nora")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    page = client.get("/help/").content.decode()
    assert "Ask an administrator of Heliox" in page
    assert 'href="/"' not in page, "that page is closed to them as well"
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert client.post(reverse("logout"), {"csrfmiddlewaretoken": token}).status_code == 302
    assert "_auth_user_id" not in client.session


def test_who_may_see_other_pages_is_led_back_to_them(own):
    page = own.get(reverse("costs")).content.decode()
    assert 'href="/"' in page and "Sign out" not in page


def test_a_limit_outlives_its_teams(own):
    Team.objects.get(name="vision").delete()
    assert TeamLimit.objects.get().teams.count() == 0
    assert own.get(reverse("teams")).status_code == 403


@pytest.mark.parametrize("role", ["Finance", "Admin"])
def test_finance_and_admins_see_all_whatever_limit_is_set(role):
    client = Client()
    client.force_login(limited("fred", "vision", role=role))
    assert "covert" in text_of(client.get(reverse("teams") + f"?{MARCH}&_export=csv"))
    assert client.get(reverse("costs")).status_code == 200


def test_who_is_in_the_administration_and_limited_is_let_in_no_more():
    user = limited("stan", "vision")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    answer = client.get(reverse("admin:dashboard_job_changelist"))
    assert answer.status_code == 302 and "login" in answer.headers["Location"]


def test_an_admin_sets_the_limit(admin, client):
    client.force_login(admin)
    user = make_user("mia", "Manager")
    sent = {"user": user.pk, "teams": [str(team("vision"))]}
    assert client.post(reverse("admin:dashboard_teamlimit_add"), sent).status_code == 302
    assert [one.name for one in TeamLimit.objects.get().teams.all()] == ["vision"]
    page = text_of(client.get(reverse("admin:dashboard_teamlimit_changelist")))
    assert "mia" in page and "vision" in page
    limit = TeamLimit.objects.get()
    client.post(reverse("admin:dashboard_teamlimit_change", args=[limit.pk]), {"user": user.pk, "teams": []})
    history = text_of(client.get(reverse("admin:dashboard_teamlimit_history", args=[limit.pk])))
    assert "teams: vision → none" in history


def test_the_name_of_an_imported_file_is_for_who_sees_all_teams(own):
    files = [{"name": "covert-and-vision.csv"}]
    run = ImportRun.objects.create(format="jobs", files=files, written_at=at("2025-03-09 12:00"))
    job = Job.objects.filter(team__name="vision").first()
    Job.objects.filter(pk=job.pk).update(imported_by=run)
    said = own.get(f"/jobs/{job.pk}/").content.decode()
    assert f"Import {run.pk}" in said and not SECRET.search(said)
    whole = Client()
    whole.force_login(make_user("whole", "Manager"))
    assert "covert-and-vision.csv" in whole.get(f"/jobs/{job.pk}/").content.decode()
