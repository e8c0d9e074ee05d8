"""Nothing that who is limited to teams can see or take away tells of the others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise

import pytest
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
    UsageSnapshot,
)
from dashboard.reports.sharing import IDLE_VIEWS
from dashboard.tables import RunningTable, ShareTable, TeamTable

from .conftest import at, make_cost, make_job, make_team, make_usage, make_user
from .limited import (
    FURTHER_FILES,
    MARCH,
    PAGES,
    client_of,
    team,
    text_of,
    without_tokens,
)
from .test_access_matrix import MATRIX, WHO
from .test_allocation import make_lines

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
WITHOUT_FILES = ("job", "help")
RANGES = (MARCH, "preset=all&compare=last_month", "preset=last7", "preset=ytd")
VIEWS = (*(f"idle={view}" for view in IDLE_VIEWS), "basis=billed", "bucket=week", "compare=last_year")
MONTHS = ("2025-03", "2025-03&idle=evenly", "2025-03&basis=billed", "2025-02", "2025-02&as=now", "2025-04")


pytestmark = pytest.mark.usefixtures("two_teams")


@pytest.fixture
def closed_february(two_teams: None) -> None:
    """$110.34 for 10 metered hours: 3 of vision for $33.10, 6 of covert for $66.21, and $11.03 idle."""
    make_cost("2025-02-03", "110.34")
    make_usage("2025-02-03", "10.00")
    make_job("2025-02-03 00:00", "2025-02-03 03:00")
    make_job("2025-02-03 00:00", "2025-02-03 06:00", team="covert", model_name="whisper")
    rollups.settle()
    close_month(date(2025, 2, 1), make_user("cleo", "Finance"), "effective", "apart")


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
    """What each address gives, none of it about others."""
    others, found = ids_of_others(), answers(own, urls)
    for url, text in found.items():
        told = re.sub("|".join(re.findall("whisper|covert", url)) or "$^", "", text)
        assert not SECRET.search(told), (url, SECRET.search(told))
        assert not others.search(told), url
    return found


def answers(own: Client, urls: Iterable[str]) -> dict[str, str]:
    """What each address gives, with the name of its file."""
    found = {}
    for url in urls:
        answer = own.get(url)
        assert answer.status_code == 200, url
        found[url] = answer.get("Content-Disposition", "") + without_tokens(answer)
    return found


def ids_of_others() -> re.Pattern[str]:
    jobs = Job.objects.filter(team__name="covert").values_list("pk", flat=True)
    ids = [str(pk) for pk in (team("covert"), *jobs)]
    return re.compile("|".join([*ids, *(pk.replace("-", "") for pk in ids)]))


@pytest.mark.parametrize("kind", ["page", *FORMATS])
def test_nothing_tells_of_another_team_and_nothing_moves_with_it(own, closed_february, kind):
    """Not one character, though the bill, the idle cost and the hours of all have changed."""
    urls = every_page() if kind == "page" else every_file(kind)
    before = got(own, urls)
    others_do_more()
    for url, now in answers(own, urls).items():
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
    assert answers(own, urls) == before
    everybody = client_of(finance)
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
    everybody = client_of(finance)
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
    unlimited = client_of(finance)
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
    everybody = client_of(finance)
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


def test_the_rate_of_a_job_is_told_and_not_what_it_is_a_part_of(own, finance):
    job = reverse("job", args=[Job.objects.get(team__name="vision", status="completed").pk])
    assert "$11.0340/h × 30.000 h" in text_of(own.get(job))
    unlimited = client_of(finance)
    assert "$1,103.40 × 30.000 h ÷ 100.000 h" in text_of(unlimited.get(job))


def test_the_name_of_an_imported_file_is_for_who_sees_all_teams(own):
    files = [{"name": "covert-and-vision.csv"}]
    run = ImportRun.objects.create(format="jobs", files=files, written_at=at("2025-03-09 12:00"))
    job = Job.objects.filter(team__name="vision").first()
    Job.objects.filter(pk=job.pk).update(imported_by=run)
    said = own.get(f"/jobs/{job.pk}/").content.decode()
    assert f"Import {run.pk}" in said and not SECRET.search(said)
    whole = client_of(make_user("whole", "Manager"))
    assert "covert-and-vision.csv" in whole.get(f"/jobs/{job.pk}/").content.decode()
