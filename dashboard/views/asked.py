"""What a request asks for, in one value: the scope, the words for it, its links and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django_tables2 import Table

from .. import audit
from ..access import check_export, may_export, teams_of
from ..exports import FORMATS, Export, file_name
from ..filters import BASES, ScopeFilter, query
from ..joblist.paging import MOST_PER_PAGE, PER_PAGE
from ..naming import Names
from ..periods import day_in_words, in_words
from ..reports.freshness import Freshness, jobs_through
from ..reports.sharing import IDLE_VIEWS
from ..scope import Scope, Span, bucket_end, bucket_start
from ..templatetags.ui import path_of
from .how import How, how

# Pages that show cost on either basis; a link between two of them stays on one.
ON_A_BASIS = (
    *("overview", "costs", "usage", "allocation", "running", "bridge", "unit_prices", "contracts"),
    "forecast",
    "waste",
)


@dataclass(frozen=True)
class Listed:
    """Rows of a page of a longer list, with what _number_pages.html asks of a table to turn to the others."""

    rows: Sequence[Any]
    page: Page
    prefixed_page_field: str

    @property
    def paginator(self) -> Paginator:
        return self.page.paginator

    def __len__(self) -> int:
        """Of the whole list."""
        return self.paginator.count


@dataclass(frozen=True)
class Asked:
    request: HttpRequest
    names: Names
    freshness: Freshness
    filter: ScopeFilter
    closed: Scope | None = None  # what a closed month was frozen by, whatever the address asks for

    @classmethod
    def of(
        cls,
        request: HttpRequest,
        uses: Iterable[str],
        preset: str = "last30",
        about_jobs: bool = False,
        fixed: Callable[[Freshness], Span] | None = None,
        bucket: str = "",
    ) -> Asked:
        """uses: the filters that the page can apply. about_jobs: ranges reach as far as the job logs do.

        fixed: gives the range where the page sets it itself. bucket: of the rows unless another is chosen.
        """
        names = Names.load()
        freshness = Freshness.load(names)
        through = jobs_through() if about_jobs else None
        form = ScopeFilter(
            request.GET,
            uses=uses,
            names=names,
            freshness=freshness,
            preset=preset,
            jobs_through=through,
            fixed=fixed(freshness) if fixed else None,
            bucket=bucket,
            own_teams=teams_of(request.user),
        )
        return cls(request, names, freshness, form)

    @property
    def scope(self) -> Scope:
        return self.closed or self.filter.scope

    def as_closed(self, basis: str, idle: str) -> Asked:
        return replace(self, closed=self.filter.scope.but(basis=basis, idle=idle))

    @property
    def is_limited(self) -> bool:
        """The reader sees some teams only: nothing of all together, by which others could be told."""
        return self.filter.own_teams is not None

    @cached_property
    def bucket_of(self) -> Callable[[date], date]:
        """The start of a day's bucket; long tables ask for each of their rows."""
        bucket, fiscal_month = self.scope.bucket, settings.HELIOX_FISCAL_MONTH
        return cache(lambda day: bucket_start(day, bucket, fiscal_month))

    def days_of(self, start: date, bucket: str) -> dict[str, str]:
        """start and end parameters of a bucket, clipped to the range on the page."""
        span = Span(start, bucket_end(start, bucket))
        span = span.clipped(self.scope.span) if self.scope.span else span
        return {"start": span.start.isoformat(), "end": span.last.isoformat()}

    def link(self, page: str, **parameters: Any) -> str:
        """Another page with this one's filters; of its range, unless parameters give another."""
        kept: dict[str, Any] = {"provider": self.scope.providers, "gpu_type": self.scope.gpu_types}
        if page in ON_A_BASIS and "basis" in self.filter.filters:
            kept["basis"] = self.request.GET.get("basis")
        if "start" not in parameters:
            kept |= self.range_parameters
        return path_of(page) + query(**(kept | parameters))

    @cached_property
    def range_parameters(self) -> dict[str, str]:
        got = self.request.GET
        return {name: got[name] for name in ("preset", "start", "end") if got.get(name)} or {
            "preset": self.filter.preset_in_force
        }

    def here(self, **changes: Any) -> str:
        """This page's own address with some parameters changed; an empty value takes one off."""
        data = self.request.GET.copy()
        for name, value in changes.items():
            data.pop(name, None)
            if value not in (None, ""):
                data[name] = value
        return "?" + data.urlencode()

    def bucket_label(self, start: date) -> str:
        return bucket_label(start, self.scope.bucket)

    @property
    def by_bucket(self) -> dict[str, Any]:
        """What a table of a row per bucket has to know of it."""
        return {"bucket": self.scope.bucket, "label": self.bucket_label}

    @property
    def per_page(self) -> int:
        return clamped(self.request.GET.get("per_page", ""), PER_PAGE, MOST_PER_PAGE)

    def sorted(self, table: Any) -> Any:
        """By those of its columns that the address names, by each as it says first."""
        asked: dict[str, str] = {}
        for name in self.request.GET.getlist(table.prefixed_order_by_field):
            asked.setdefault(name.removeprefix("-"), name)
        table.order_by = [name for column, name in asked.items() if column in table.base_columns]
        return table

    def is_unsorted_csv(self, table: type[Table]) -> bool:
        """A CSV in the order that the table has by itself."""
        is_csv = self.request.GET.get("_export") == "csv"
        return is_csv and not self.sorted(table([], **self.by_bucket, link=str)).order_by

    def is_asked_for(self, table: Table) -> bool:
        """Whether the address sorts or turns the pages of a table that is folded otherwise."""
        return bool(self.request.GET.keys() & {table.prefixed_order_by_field, table.prefixed_page_field})

    def one_page(self, table: Table) -> Table:
        """The page of the table that is asked for; past the end is the last page."""
        page = self.page_of(table.rows, table.prefixed_page_field)
        table.paginate(page=page.number, per_page=self.per_page)
        return table

    def listed(self, found: Sequence[Any], row: Callable[[Any], Any], prefix: str = "") -> Listed:
        """The same of a list that is no table. row: what a page shows of one."""
        page = self.page_of(found, f"{prefix}page")
        return Listed([row(one) for one in page], page, f"{prefix}page")

    def page_of(self, rows: Any, field: str) -> Page:
        pages = Paginator(rows, self.per_page)
        return pages.page(clamped(self.request.GET.get(field, ""), 1, pages.num_pages))

    def context(self, **extra: Any) -> dict[str, Any]:
        return {
            "form": self.filter.form,
            "filters": self.filter.in_words,
            "not_applied": self.filter.not_applied(),
            "span": self.filter.span_in_words,
            "complete": [
                {"provider": p.provider, "through": p.closed and day_in_words(p.closed), "late": p.late}
                for p in self.freshness.providers
            ],
            "complete_in_words": self.complete_in_words(),
            "exports": self.export_links(),
            "nothing_stored": self.freshness.last is None,
            "elsewhere": self.elsewhere(),
            "basis": self.scope.basis,
            "bucket": self.scope.bucket,
            "is_limited": self.is_limited,
            **extra,
        }

    def complete_in_words(self) -> str:
        """Where there are too many providers to list: the one that is behind, and the newest day."""
        providers = self.freshness.providers
        live = sorted((p for p in providers if p.closed and not p.late), key=lambda p: p.through)
        if not live:
            return f"… ({len(providers)} providers)"
        first, last = live[0], live[-1]
        days = day_in_words(last.through)
        if first.through < last.through:
            days = f"{day_in_words(first.through)} ({first.provider}) to {days} ({last.provider})"
        late = sum(p.late for p in providers)
        without = len(providers) - len(live) - late
        more = f", {late} late" if late else ""
        more += f", {without} without a closed day" if without else ""
        return f"{days}, {len(providers)} providers{more}"

    def elsewhere(self) -> dict[str, str] | None:
        """Which days are stored, where the range has none of them."""
        stored, span = self.freshness.span(), self.scope.span
        asks_for_bills = not self.filter.fixed and not self.filter.jobs_through
        if not asks_for_bills or stored is None or span is None or stored.clipped(span).length:
            return None
        return {"days": in_words(stored), "url": self.here(preset="all", start="", end="", page="")}

    def export_links(self) -> list[dict[str, str]]:
        if not may_export(self.request.user):
            return []
        return [
            {"label": f"Download {label}", "url": self.here(_export=kind, after="", before="")}
            for kind, label in FORMATS.items()
        ]

    @property
    def file_url(self) -> str:
        """Of the page's own file; empty for who may take none away."""
        links = self.export_links()
        return links[0]["url"] if links else ""

    def links_to_file(self, name: str) -> list[dict[str, str]]:
        """One of the further files of a page, by its `file=`."""
        if not may_export(self.request.user):
            return []
        return [
            {"label": label, "url": self.here(_export=kind, file=name, page="", sort="")}
            for kind, label in FORMATS.items()
        ]

    def export(
        self,
        page: str,
        columns: Sequence[str],
        rows: Callable[[], Iterable[Sequence[Any]]],
        control: str | Callable[[], str],
        lines: Callable[[], Iterator[bytes]] | None = None,
    ) -> HttpResponseBase | None:
        """The file that `_export` asks for, None where it asks for none.

        control: the total on the page, which only a workbook tells. lines: the rows as CSV already.
        """
        kind = self.request.GET.get("_export")
        if not kind:
            return None
        check_export(self.request.user)
        if kind not in FORMATS:
            return refusal(f"“{kind[:20]}” is not a file format here. Ask for {' or '.join(FORMATS)}.")
        if self.filter.form.errors:
            return refusal(errors_in_words(self.filter.form))
        file = self.file_name(page)
        told = audit.exporting(self.request.path, f"{kind} {page}: {self.filters_in_words()}")
        if kind == "csv":
            return Export(file, columns, rows(), lines=lines() if lines else None, told=told).response(kind)
        about = [*self.about(), ("Total", control() if callable(control) else control)]
        return Export(file, columns, rows(), about, told=told).response(kind)

    def filters_in_words(self) -> str:
        """The file's days, how it is made, and what it is narrowed to."""
        days = f"{in_words(self.scope.span)}{', as it was closed' if self.closed else ''}"
        chips = (chip["text"] for chip in self.filter.in_words)
        return "; ".join([days, *self.filter.shown_in_words(self.scope), *chips])

    def how(
        self, anchor: str, *, formula: str = "", rows: str = "", rows_url: str = "", money: bool = True
    ) -> How:
        """How a figure of this page is computed. rows: how many of what, for example "1,204 jobs"."""
        facts = [
            ("Period", self.filter.span_in_words),
            ("Days", f"of each provider’s bill clock; times in {settings.TIME_ZONE}"),
        ]
        if money:
            facts += [("Basis", BASES[self.scope.basis]), *self.idle_view()]
        if chips := self.filter.in_words:
            facts.append(("Only", "; ".join(chip["text"] for chip in chips)))
        return how(anchor, facts, formula, rows, rows_url)

    def about(self) -> list[tuple[str, str]]:
        complete = (f"{p.provider} {p.closed or 'no closed day yet'}" for p in self.freshness.providers)
        filters = "; ".join(chip["text"] for chip in self.filter.in_words)
        return [
            ("Range", in_words(self.scope.span)),
            ("Filters", filters or "none"),
            *([("Per", self.scope.bucket)] if "bucket" in self.filter.filters else []),
            ("Cost basis", BASES[self.scope.basis]),
            *self.idle_view(),
            ("Display zone", settings.TIME_ZONE),
            ("Days", "those of each provider's bill clock"),
            ("Complete through", "; ".join(complete)),
        ]

    def idle_view(self) -> list[tuple[str, str]]:
        shown = "idle" in self.filter.filters
        return [("Idle cost", IDLE_VIEWS[self.scope.idle])] if shown else []

    def file_name(self, page: str) -> str:
        span = self.scope.span
        days = f"{span.start}_{span.last}" if span else "all"
        filters = "_".join(file_name(chip["text"]) for chip in self.filter.in_words)
        zone = settings.TIME_ZONE.replace("/", "-")
        idle = [file_name(f"idle {view}") for _, view in self.idle_view()]
        return "_".join(filter(None, ["heliox", page, days, filters, self.scope.basis, *idle, zone]))


def clamped(text: str, default: int, most: int) -> int:
    """A whole number between 1 and most; the default for anything that is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return default
    return max(1, min(int(text), most))


def bucket_label(start: date, bucket: str) -> str:
    if bucket == "month":
        return f"{start:%b %Y}"
    if bucket == "quarter":
        return f"{start:%b %Y} quarter"
    return f"week of {start}" if bucket == "week" else start.isoformat()


def refusal(text: str) -> HttpResponse:
    return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


def errors_in_words(form: Any) -> str:
    return "\n".join(
        f"{form.fields[name].label}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
    )


def figure(label: str, value: str, sub: str = "", **more: Any) -> dict[str, Any]:
    return {"label": label, "value": value, "sub": sub, "delta": None, "how": None, "link": None} | more


def amount(value: Decimal | None, unit: str) -> str:
    """In the control total of a file, where no row is not nought."""
    return f"no {unit}" if value is None else f"{value} {unit}"


def help_link(term: str) -> str:
    return f"{path_of('help')}#{term}"
