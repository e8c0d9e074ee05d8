"""Tables on pages. Rows come sorted and cut; cells are cheap: no query and no URL lookup per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django_tables2.utils import OrderByTuple

from ..exports import plain_number
from ..gpu_time import job_gpu_hours
from ..joblist import duration
from ..naming import Names
from ..reports.job_cost import RunningJob
from ..scope import Span
from ..templatetags import ui
from .rows import FigureTable

NUMBER = {"th": {"class": "num"}, "td": {"class": "num"}, "tf": {"class": "num"}}
CHANGE = {"th": {"class": "num"}, "td": {"class": "num change"}}
DASH = "–"
EMPTY = "—"
TO_THE_MINUTE = len("2026-11-30 12:00")
TAGS = {"period": "spread", "rate": "rate"}  # of a cell's cost, by its source


class SortedElsewhere(FigureTable):
    """Shows the sort order that the database applied; tables2 would sort the page once more, unstably."""

    @property
    def order_by(self) -> Any:
        return self._order_by

    @order_by.setter
    def order_by(self, value: Any) -> None:
        self._order_by = OrderByTuple([value] if isinstance(value, str) else value or [])


class JobTable(SortedElsewhere):
    """Columns and headings are those of tables2; its way to a cell takes ten times as long as `html_rows`."""

    model = tables.Column(verbose_name="Model")
    team = tables.Column(verbose_name="Team")
    gpu_type = tables.Column(verbose_name="GPU type")
    gpus = tables.Column(verbose_name="GPUs", attrs=NUMBER)
    provider = tables.Column(verbose_name="Provider")
    status = tables.Column(verbose_name="Status")
    start = tables.Column(verbose_name="Start")
    end = tables.Column(verbose_name="End")
    duration = tables.Column(verbose_name="Duration", attrs=NUMBER)
    gpu_hours = tables.Column(verbose_name="GPU-hours", attrs=NUMBER)

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"
        empty_text = "No job in this range with these filters."

    def __init__(self, data: Any, *, names: Names, span: Span | None = None, **kwargs: Any) -> None:
        self.names, self.span = names, span
        super().__init__(data, **kwargs)

    def html_rows(self) -> SafeString:
        return self.in_html(map(JobCells(self.names, self.span).of, self.data))


class JobCells:
    """The HTML of a job's cells by column; each name is looked up once, however many rows carry it."""

    def __init__(self, names: Names, span: Span | None) -> None:
        self.names, self.span = names, span
        self.name = cache(ui.name)
        self.gpu_type = cache(lambda stored: ui.name(names.gpu_type(stored)) or EMPTY)
        self.provider = cache(lambda stored: ui.name(names.provider(stored)) or EMPTY)
        self.status = cache(status_badge)
        self.clock = cache(names.clock)

    def of(self, job: Any) -> dict[str, str]:
        return {
            "model": f'<a href="/jobs/{job.pk}/">{self.name(job.model_name or "unspecified")}</a>',
            "team": f'<a href="/teams/{job.team_id}/">{self.name(job.team_name)}</a>',
            "gpu_type": self.gpu_type(job.gpu_type),
            "gpus": format(plain_number(job.gpu_count), "f"),
            "provider": self.provider(job.provider),
            "status": self.status(job.status),
            "start": moment(job.start_time) if job.start_time else EMPTY,
            "end": moment(job.end_time) if job.end_time else EMPTY,
            "duration": duration_in_words(duration(job)),
            "gpu_hours": two_places(job_gpu_hours(job, self.span, self.clock(job.provider))),
        }


def status_badge(status: str) -> str:
    return format_html('<span class="status status-{}">{}</span>', slugify(status), status)


def moment(value: datetime | None) -> str:
    """In the display zone."""
    if value is None:
        return DASH
    return value.astimezone(timezone.get_default_timezone()).isoformat(" ", "minutes")[:TO_THE_MINUTE]


def duration_in_words(length: timedelta | None) -> str:
    if length is None:
        return DASH
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02}:{seconds:02}"


def two_places(hours: Decimal) -> str:
    return ui._figure(hours, 2)


class CellTable(FigureTable):
    """One row per bucket, provider and GPU type: what the file of the page holds."""

    day = tables.Column()
    provider = tables.Column(verbose_name="Provider")
    gpu_type = tables.Column(verbose_name="GPU type")

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"

    def __init__(
        self,
        data: Any,
        *,
        bucket: str,
        label: Callable[[date], str],
        link: Callable[[Any], str],
        **kwargs: Any,
    ) -> None:
        self.label, self.link = label, link
        super().__init__(data, **kwargs)
        self.columns["day"].column.verbose_name = bucket.capitalize()

    def render_day(self, record: Any, value: date) -> str:
        return format_html('<a href="{}">{}</a>', self.link(record), self.label(value))


class CostTable(CellTable):
    usd = tables.Column(verbose_name="Cost", attrs=NUMBER)

    def render_usd(self, record: Any, value: Decimal) -> str:
        """With what was not billed that day: a period's total that was spread, or the rate of own GPUs."""
        tags = [TAGS[source] for source in sorted(record.sources) if source in TAGS]
        if not tags:
            return ui.usd(value)
        return format_html('<small class="soft">{}</small> {}', ", ".join(tags), ui.usd(value))


class UsageTable(CellTable):
    metered = tables.Column(verbose_name="Metered GPU-hours", attrs=NUMBER)
    job_hours = tables.Column(verbose_name="Job GPU-hours", attrs=NUMBER)
    utilisation = tables.Column(verbose_name="Utilisation", attrs=NUMBER)
    usd = tables.Column(verbose_name="Cost", attrs=NUMBER)
    unit_price = tables.Column(verbose_name="$ per metered GPU-hour", attrs=NUMBER, empty_values=())

    def render_metered(self, value: Decimal) -> str:
        return two_places(value)

    render_job_hours = render_metered

    def render_utilisation(self, value: Decimal) -> str:
        return ui.percent(value)

    def render_usd(self, value: Decimal) -> str:
        return ui.usd(value)

    def render_unit_price(self, value: Decimal | None) -> str:
        return ui.rate(value)


class ShareTable(CellTable):
    """flags: (day, provider, GPU type) → what makes the shares less sure, in words."""

    team = tables.Column(verbose_name="Team")
    model = tables.Column(verbose_name="Model")
    gpu_hours = tables.Column(verbose_name="Job GPU-hours", attrs=NUMBER)
    usd = tables.Column(verbose_name="Cost", attrs=NUMBER)
    note = tables.Column(verbose_name="Note", empty_values=(), orderable=False)

    class Meta(CellTable.Meta):
        sequence = ("day", "team", "model", "provider", "gpu_type", "gpu_hours", "usd", "note")

    def __init__(self, data: Any, *, flags: Mapping[tuple[date, str, str], str], **kwargs: Any) -> None:
        self.flags = flags
        super().__init__(data, **kwargs)

    def render_gpu_hours(self, value: Decimal) -> str:
        return two_places(value)

    def render_usd(self, value: Decimal) -> str:
        return ui.usd(value)

    def render_note(self, record: Any) -> str:
        return self.flags.get((record.day, record.provider, record.gpu_type), "")


class RunningTable(FigureTable):
    model = tables.Column(accessor="job__model_name", verbose_name="Model")
    team = tables.Column(accessor="job__team__name", verbose_name="Team")
    provider = tables.Column(accessor="job__provider", verbose_name="Provider")
    gpu_type = tables.Column(accessor="job__gpu_type", verbose_name="GPU type")
    gpus = tables.Column(accessor="job__gpu_count", verbose_name="GPUs", attrs=NUMBER)
    start = tables.Column(accessor="job__start_time", verbose_name="Start")
    gpu_hours = tables.Column(verbose_name="GPU-hours", attrs=NUMBER)
    usd_per_hour = tables.Column(verbose_name="$ per hour", attrs=NUMBER)
    usd = tables.Column(verbose_name="Cost so far", attrs=NUMBER)
    estimated = tables.Column(verbose_name="of it estimated", attrs=NUMBER)

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"

    def __init__(self, data: Any, *, names: Names, **kwargs: Any) -> None:
        self.names = names
        super().__init__(data, **kwargs)

    def html_rows(self) -> SafeString:
        return self.in_html(map(RunningCells(self.names).of, self.paginated_rows.data))


class RunningCells:
    """The HTML of a running job's cells by column; each name and price is looked up once."""

    def __init__(self, names: Names) -> None:
        self.name = cache(ui.name)
        self.provider = cache(lambda stored: ui.name(names.provider(stored)) or EMPTY)
        self.gpu_type = cache(lambda stored: ui.name(names.gpu_type(stored)) or EMPTY)
        self.rate = cache(lambda usd: EMPTY if usd is None else ui.rate(usd))

    def of(self, running: RunningJob) -> dict[str, str]:
        job, usd, estimated = running.job, running.usd, running.estimated
        return {
            "model": self.linked(f"/jobs/{job.pk}/", job.model_name),
            "team": self.linked(f"/teams/{job.team_id}/", job.team.name),
            "provider": self.provider(job.provider),
            "gpu_type": self.gpu_type(job.gpu_type),
            "gpus": format(plain_number(job.gpu_count), "f"),
            "start": moment(job.start_time),
            "gpu_hours": two_places(running.gpu_hours),
            "usd_per_hour": self.rate(running.usd_per_hour),
            "usd": EMPTY if usd is None else ui.usd(usd),
            "estimated": EMPTY if estimated is None else ui.usd(estimated),
        }

    def linked(self, address: str, name: str) -> str:
        return f'<a href="{address}">{self.name(name)}</a>' if name else EMPTY


class TeamTable(FigureTable):
    team = tables.Column(accessor="name", verbose_name="Team")
    usd = tables.Column(verbose_name="Cost", attrs=NUMBER)
    usd_change = tables.Column(verbose_name="Change of cost", attrs=CHANGE, order_by="usd_change_by")
    gpu_hours = tables.Column(verbose_name="Job GPU-hours", attrs=NUMBER)
    change = tables.Column(verbose_name="Change of hours", attrs=CHANGE, order_by="change_by")
    share = tables.Column(verbose_name="Share of hours", attrs=NUMBER)
    jobs = tables.Column(verbose_name="Jobs", attrs=NUMBER)
    running = tables.Column(verbose_name="Running now", attrs=NUMBER)
    success = tables.Column(verbose_name="Success rate", attrs=NUMBER)
    models = tables.Column(verbose_name="Models", attrs=NUMBER)

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"
        empty_text = "No team has jobs in this range with these filters."

    def render_team(self, record: Any, value: str) -> str:
        return format_html('<a href="{}">{}</a>', record.url, ui.name(value))

    def render_usd(self, value: Decimal) -> str:
        return ui.usd(value)

    def render_gpu_hours(self, value: Decimal) -> str:
        return two_places(value)

    def render_share(self, value: Decimal) -> str:
        return ui.percent(value)

    render_success = render_share

    def render_change(self, value: dict[str, Any]) -> str:
        return render_to_string("dashboard/_change.html", {"change": value})

    render_usd_change = render_change

    def render_jobs(self, record: Any, value: int) -> str:
        return format_html('<a href="{}">{}</a>', record.jobs_url, ui.count(value))


class FindingTable(FigureTable):
    """Where a check of data quality found how many."""

    where = tables.Column(verbose_name="Where")
    count = tables.Column(verbose_name="Count", attrs=NUMBER)
    note = tables.Column(verbose_name="Note")

    class Meta:
        template_name = "dashboard/_table.html"
        order_by_field = "sort"

    def render_where(self, record: Any, value: str) -> str:
        return format_html('<a href="{}">{}</a>', record["url"], ui.name(value))

    def render_count(self, value: int) -> str:
        return ui.count(value)
