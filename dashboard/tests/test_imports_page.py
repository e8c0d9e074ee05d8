"""Files sent in the browser: a dry run to look at, one click to import, one to undo."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.closing import close_month
from dashboard.ingest import uploads
from dashboard.models import ClusterMapping, CostSnapshot, ImportRun, Job, Upload, UploadPart

from .conftest import at, make_cost, make_user
from .loading import bill, job, load_rows

pytestmark = pytest.mark.django_db

COSTS = "date,provider,gpu_type,cost_usd\n2025-03-01,AWS,A100-80GB,10.00\n2025-03-02,AWS,A100-80GB,-2.50\n"
JOBS = (
    "job_id,team,model_name,gpu_type,provider,start_time,end_time,status\n"
    "1,vision,resnet,A100-80GB,AWS,2025-03-01T00:00:00Z,2025-03-01T02:00:00Z,completed\n"
)


@pytest.fixture
def ada(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def send(client: Client, *texts: str | bytes, **options: str) -> Any:
    files = [
        SimpleUploadedFile(f"file{n}.csv", text.encode() if isinstance(text, str) else text)
        for n, text in enumerate(texts, 1)
    ]
    return client.post(reverse("imports"), {"files": files, **options}, follow=True)


def words(response: Any) -> str:
    return " ".join(response.content.decode().split())


def path(response: Any) -> str:
    return response.redirect_chain[-1][0] if response.redirect_chain else response.request["PATH_INFO"]


@pytest.mark.parametrize("group", ["Viewer", "Finance", "Manager"])
def test_only_importers_get_in(client: Client, group: str) -> None:
    client.force_login(make_user("someone", group))
    run = load_rows(job()).run
    for url in (reverse("imports"), reverse("import", args=[run]), reverse("import_undo", args=[run])):
        assert client.get(url).status_code == 403
        assert client.post(url).status_code == 403
    assert ImportRun.objects.get().status == "committed"


def test_a_file_is_looked_at_then_imported_then_undone(ada: Client) -> None:
    seen = send(ada, COSTS)
    assert path(seen).startswith("/imports/review/")
    assert "This is a dry run: 2 changes would be written" in words(seen)
    assert "2025-03" in words(seen) and "$7.50" in words(seen)
    assert "To insert" in words(seen)
    assert not CostSnapshot.objects.exists()

    done = ada.post(path(seen), {"do": "confirm"}, follow=True)
    run = ImportRun.objects.get()
    assert path(done) == reverse("import", args=[run.pk])
    assert "Imported: file1.csv." in words(done)
    assert "To insert" not in words(done) and "Inserted" in words(done)
    assert (CostSnapshot.objects.count(), run.user.username) == (2, "ada")
    assert not Upload.objects.exists() and not UploadPart.objects.exists()

    asked = ada.get(reverse("import_undo", args=[run.pk]))
    assert "All of its 2 changes are taken back" in words(asked)
    undone = ada.post(reverse("import_undo", args=[run.pk]), follow=True)
    assert "is undone: every table is as it was before" in words(undone)
    assert not CostSnapshot.objects.exists()
    assert "undone" in words(ada.get(reverse("imports")))


def test_a_second_click_imports_nothing_more(ada: Client) -> None:
    review = path(send(ada, COSTS))
    ada.post(review, {"do": "confirm"})
    again = ada.post(review, {"do": "confirm"}, follow=True)
    assert "confirmed or cancelled already" in words(again)
    assert ImportRun.objects.count() == 1


def test_the_second_of_two_clicks_at_once_finds_the_upload_claimed(admin: User) -> None:
    upload = uploads.keep(admin, [SimpleUploadedFile("a.csv", COSTS.encode())], {})
    same = Upload.objects.get()
    uploads.claim(upload)
    with pytest.raises(uploads.UploadIsGone):
        uploads.claim(same)


def test_cancel_forgets_the_files(ada: Client) -> None:
    review = path(send(ada, COSTS))
    assert "Nothing was imported" in words(ada.post(review, {"do": "cancel"}, follow=True))
    assert not Upload.objects.exists()


def test_a_bad_line_is_shown_with_line_column_value_and_expectation(ada: Client) -> None:
    seen = send(ada, COSTS + "2025-02-30,AWS,A100-80GB,1.00\n")
    page = words(seen)
    assert "The file is refused" in page and 'value="confirm"' not in page
    for text in ('<td class="num">4</td>', "<td>date</td>", "2025-02-30", "a day like"):
        assert text in page
    refused = ada.post(path(seen), {"do": "confirm"}, follow=True)
    assert "Not imported" in words(refused)
    assert not CostSnapshot.objects.exists()


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(ada: Client) -> None:
    assert "Unknown format" in words(send(ada, "colour,taste\nred,sweet\n"))
    assert "is cut off" in words(send(ada, gzip.compress(COSTS.encode() * 500)[:-20]))
    assert "The file is empty." in words(
        ada.post(reverse("imports"), {"files": SimpleUploadedFile("a", b"")})
    )
    assert "Choose a file." in words(ada.post(reverse("imports"), {}))


def test_a_conflict_offers_the_choices(ada: Client) -> None:
    make_cost("2025-03-01", "8")
    seen = send(ada, COSTS)
    assert "Where another figure stands already: 1 figure" in words(seen)
    again = ada.post(path(seen), {"on_conflict": "add"}, follow=True)
    assert "This is a dry run: 2 changes would be written" in words(again)
    ada.post(path(seen), {"do": "confirm"})
    assert CostSnapshot.objects.get(date="2025-03-01").cost_usd == 18


def test_a_closed_month_that_it_changes_is_told_before(ada: Client, admin: User, as_of: Any) -> None:
    as_of("2025-05-10 12:00")
    make_cost("2025-02-28", "1.00")
    for month in (2, 3):
        close_month(date(2025, month, 1), admin, "effective", "apart")
    review = words(send(ada, COSTS))
    assert "Closed already: March 2025. What it changes there" in review
    later = words(send(ada, "date,provider,gpu_type,cost_usd\n2025-04-03,AWS,L4,1.00\n"))
    assert "Closed already" not in later
    load_rows(job())
    moved = load_rows(job(team="speech"))
    assert (moved.touched, moved.months) == (["2025-03"], {}), "hours that change their team change no total"


def test_a_closed_month_that_a_period_entry_changes_is_told_before(
    ada: Client, admin: User, as_of: Any
) -> None:
    as_of("2025-05-10 12:00")
    make_cost("2025-03-31", "1.00")
    close_month(date(2025, 3, 1), admin, "effective", "apart")
    entry = "from,to,provider,gpu_type,cost_usd\n2025-03-30,2025-04-02,fox,A100-80GB,40.00\n"
    assert "Closed already: March 2025." in words(send(ada, entry))


def test_an_undo_says_before_which_closed_months_and_totals_it_changes(
    ada: Client, admin: User, as_of: Any
) -> None:
    as_of("2025-05-10 12:00")
    make_cost("2025-03-31", "1.00")
    close_month(date(2025, 3, 1), admin, "effective", "apart")
    ada.post(path(send(ada, COSTS)), {"do": "confirm"})
    asked = words(ada.get(reverse("import_undo", args=[ImportRun.objects.get().pk])))
    assert "Closed already: March 2025. What it changes there" in asked
    assert '<th scope="row">2025-03</th><td>Cost in USD</td><td class="num">−$7.50</td>' in asked


def test_an_undo_of_a_job_that_runs_on_tells_the_months_closed_meanwhile(
    ada: Client, admin: User, as_of: Any
) -> None:
    as_of("2025-03-10 12:00")
    run = load_rows(job(start_time=at("2025-03-09 00:00"), status="running", end_time=None)).run
    as_of("2025-05-10 12:00")
    make_cost("2025-04-30", "1.00")
    close_month(date(2025, 4, 1), admin, "effective", "apart")
    assert "Closed already: April 2025." in words(ada.get(reverse("import_undo", args=[run])))


def test_a_file_without_rows_is_not_imported(ada: Client) -> None:
    review = words(send(ada, COSTS.splitlines()[0] + "\n"))
    assert "There are no rows to import" in review and 'value="confirm"' not in review


@pytest.mark.parametrize(("separator", "called"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(ada: Client, separator: str, called: str) -> None:
    review = words(send(ada, COSTS.replace(",", separator)))
    assert f"The columns are separated by {called}: save the file with commas." in review


def test_several_files_and_options_go_together(ada: Client) -> None:
    seen = send(ada, JOBS, COSTS, cluster="grid", time_zone="Europe/Oslo")
    ada.post(path(seen), {"do": "confirm"})
    assert Job.objects.get().cluster == "grid"
    assert ImportRun.objects.get().options["time_zone"] == "Europe/Oslo"


def test_the_same_file_again_says_so(ada: Client) -> None:
    ada.post(path(send(ada, COSTS)), {"do": "confirm"})
    seen = send(ada, COSTS)
    assert "Everything in the file is stored already. Importing changes nothing." in words(seen)
    done = ada.post(path(seen), {"do": "confirm"}, follow=True)
    assert "Everything in the file is stored already. Nothing was changed." in words(done)
    assert (ImportRun.objects.count(), Upload.objects.count()) == (1, 0)


def test_figures_that_gave_way_to_those_there_are_not_called_stored(ada: Client) -> None:
    make_cost("2025-03-01", "8")
    make_cost("2025-03-02", "9")
    seen = ada.post(path(send(ada, COSTS)), {"on_conflict": "keep"}, follow=True)
    kept = "2 rows of the file are not stored, since what was there is kept"
    assert f"{kept}. Importing changes nothing." in words(seen)
    done = ada.post(path(seen), {"do": "confirm"}, follow=True)
    assert f"{kept}. Nothing was changed." in words(done)
    assert "stored already" not in words(seen) + words(done)


def test_what_a_page_exports_is_what_is_stored(ada: Client) -> None:
    ClusterMapping.objects.create(cluster="fox", provider="AWS", gpu_type="A100-80GB", factor="0.5")
    load_rows(job("7"), job("8", status="running", end_time=None), job("9", model_name="=1+1"))
    load_rows(bill(1, "10.005"), bill(2, "-3", None))
    for page in ("jobs", "costs"):
        file = b"".join(ada.get(f"/{page}/?preset=all&_export=csv").streaming_content)
        seen = send(ada, file)
        assert "Importing changes nothing" in words(seen), file.decode()


def test_options_can_be_mended_on_the_review(ada: Client) -> None:
    log = (
        "JobIDRaw|Account|State|Start|End|AllocTRES\n"
        "7|vision|COMPLETED|2025-03-01T00:00:00|2025-03-01T01:00:00|gres/gpu=1\n"
    )
    seen = send(ada, log)
    assert "name it with the option Cluster" in words(seen)
    again = ada.post(path(seen), {"do": "options", "cluster": "fox"}, follow=True)
    assert "This is a dry run: 2 changes would be written" in words(again)
    wrong = ada.post(path(seen), {"do": "options", "time_zone": "Mars"}, follow=True)
    assert "Mars is not a time zone" in words(wrong)


def test_options_are_checked_beside_their_field(ada: Client) -> None:
    response = send(ada, COSTS, time_zone="Mars/Olympus")
    assert response.status_code == 400
    assert "Mars/Olympus is not a time zone" in words(response)


def test_an_upload_is_its_senders(ada: Client, client: Client) -> None:
    review = path(send(ada, COSTS))
    other = Client()
    other.force_login(make_user("otto", "Admin", is_staff=True))
    assert other.get(review).status_code == 302
    other.post(review, {"do": "confirm"})
    assert not CostSnapshot.objects.exists()


def test_uploads_that_nobody_confirmed_are_forgotten_after_a_day(ada: Client) -> None:
    send(ada, COSTS)
    Upload.objects.update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    send(ada, JOBS)
    assert Upload.objects.count() == 1


def test_large_files_are_kept_in_pieces(admin: User) -> None:
    text = bytes(range(256)) * 10_000
    upload = uploads.keep(admin, [SimpleUploadedFile("a", text), SimpleUploadedFile("b", b"x")], {})
    assert upload.parts.count() == 4
    with uploads.sources(upload) as found:
        assert [(source.name, source.file.read()) for source in found] == [("a", text), ("b", b"x")]


def test_too_large_a_body_is_refused_before_it_is_read(ada: Client, settings: Any) -> None:
    settings.HELIOX_UPLOAD_MB = 1
    response = send(ada, "x" * 2 * 1024**2)
    assert response.status_code == 400
    assert "larger than 1 MB together" in words(response)
    response = send(ada, "x" * 5 * 1024**2)
    assert response.status_code == 413
    viewer = Client()
    viewer.force_login(make_user("vic", "Viewer"))
    settings.HELIOX_UPLOAD_MB = 64
    assert send(viewer, "x" * 4 * 1024**2).status_code == 413
    assert send(Client(), "x" * 4 * 1024**2).status_code == 413


def test_what_stands_in_the_way_of_an_undo_is_shown(ada: Client) -> None:
    first = load_rows(job("1")).run
    second = load_rows(job("1", status="failed")).run
    page = words(ada.get(reverse("import_undo", args=[first])))
    assert f"Undo import {second} first." in page
    assert "Undo the import" not in page
    refused = ada.post(reverse("import_undo", args=[first]), follow=True)
    assert "cannot be undone" in words(refused)


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999", ""])
def test_any_page_of_the_history_answers(ada: Client, number: str) -> None:
    load_rows(job())
    assert ada.get(reverse("imports"), {"page": number}).status_code == 200


def test_an_import_that_never_was_is_not_found(ada: Client) -> None:
    assert ada.get(reverse("import", args=[99])).status_code == 404
    assert ada.get(reverse("import_undo", args=[99])).status_code == 404
    assert ada.get("/imports/99999999999999999999999/").status_code == 404
