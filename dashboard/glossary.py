"""The words on the pages: what each figure means and how it is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """anchor: what a page's "?" leads to. formula: the figure in one line, empty where there is none."""

    anchor: str
    name: str
    meaning: str
    formula: str = ""


MONEY = (
    Term(
        "spend",
        "Spend (net cost)",
        "What providers charge for GPUs in the range, credits and refunds taken off. Cents are summed "
        "exactly and rounded once. Only US dollars; a bill in another currency is refused.",
        "Σ cost of every day, provider and GPU type in the range",
    ),
    Term("gross", "Gross", "The rows above zero, before credits.", "Σ cost where cost > 0"),
    Term(
        "credits",
        "Credits",
        "The rows below zero: refunds, corrections and credits that name a GPU type. A credit that names "
        "none stays on the bill as a line of its own and is not part of GPU cost.",
        "Σ cost where cost < 0",
    ),
    Term(
        "basis",
        "Effective and billed cost",
        "Billed is what the invoice says on that day. Effective spreads what was paid in advance over the "
        "hours that it covers: a covered hour bills 0 and still costs something. One setting decides for "
        "all pages; where bill lines are stored, Costs and Usage can show the other.",
    ),
    Term(
        "unit-price",
        "Price of a GPU-hour",
        "On demand, spot and committed hours of a day are blended. Not available where hours or net cost "
        "are not above zero.",
        "net cost ÷ metered GPU-hours",
    ),
    Term(
        "bill-lines",
        "Bill lines",
        "The bill under the daily figures, at full precision: per day, account, sub-account, tag, kind and "
        "service. The daily figures are their sums, rounded so that each month adds up to the cent.",
    ),
)
HOURS = (
    Term(
        "metered",
        "Metered GPU-hours",
        "What the provider counted and bills: hours of an instance × its GPUs.",
        "Σ consumed hours × GPUs of the instance",
    ),
    Term(
        "job-hours",
        "Job GPU-hours",
        "What jobs held, whether or not they kept the GPUs busy. A job is cut at midnight of its provider's "
        "bill clock and clipped to the range. A running job counts up to now. Pending jobs, jobs that "
        "finished without a known end, that end before they start or start in the future count 0.",
        "Σ running time within the range × GPUs",
    ),
    Term(
        "idle",
        "Idle GPU-hours",
        "Metered hours that no job held, taken per day, provider and GPU type: overuse in one place does "
        "not hide idleness in another.",
        "max(metered − job, 0)",
    ),
    Term(
        "utilisation",
        "Utilisation",
        "The share of metered hours that jobs held. Allocated is not the same as busy. Above 100 % the job "
        "log reports more than the provider metered.",
        "job GPU-hours ÷ metered GPU-hours",
    ),
    Term(
        "gpu-count",
        "GPUs of a job",
        "GPUs held for the whole run; half a GPU is 0.5. A mapping's factor turns a slice into a "
        "part of one.",
    ),
)
DAYS = (
    Term(
        "days",
        "Days",
        "A day of cost or metered hours is the bill's own and is never shifted. Jobs are cut at midnight of "
        "the same provider's bill clock, so the two meet. The display zone only formats times.",
    ),
    Term(
        "closed-days",
        "Closed and open days",
        "A day is closed when it is over and its provider's bill is complete for it: the last day with rows "
        "less the provider's lag. Open days are drawn lighter and marked. “Last 7 days” are the last "
        "seven closed ones.",
    ),
    Term(
        "comparison",
        "Change",
        "Like for like: as many closed days on both sides, both spans printed. Month to date compares with "
        "the same days of the month before. There is no percentage when the base is under 1 cent or "
        "a day is missing.",
        "(spend − spend before) ÷ spend before",
    ),
    Term("gaps", "Gaps", "A day without a row is unknown and is drawn as a gap. A stored 0.00 is a fact."),
    Term(
        "ranges",
        "Jobs of a range",
        "A job belongs to a range when some of its time may lie in it: it starts before the range ends, and "
        "ends after the range starts or has no end.",
    ),
)
NAMES = (
    Term(
        "names",
        "Providers and GPU types",
        "Names that differ only in capitals or blanks are the same. Aliases bring other spellings together, "
        "also for what is stored. A100-40GB and A100-80GB stay apart: their prices differ.",
    ),
    Term(
        "mappings",
        "Mappings",
        "A cluster is not a provider. A mapping says where the jobs of a cluster, partition and GPU type are "
        "billed; another which team an account stands for. They are dated and apply to what is stored.",
    ),
    Term(
        "success-rate",
        "Success rate",
        "Of the jobs that completed or failed, the share that completed. Cancelled jobs are left out.",
        "completed ÷ (completed + failed)",
    ),
    Term(
        "files",
        "Files",
        "A file holds exactly the rows of the page with its filters, and its sum is the page's "
        "total. Cells that "
        "a spreadsheet would run as a formula begin with an apostrophe; an import takes it off again.",
    ),
)
SECTIONS = (("Money", MONEY), ("Hours", HOURS), ("Days and ranges", DAYS), ("Names and files", NAMES))


def term(anchor: str) -> Term:
    return BY_ANCHOR[anchor]


BY_ANCHOR = {term.anchor: term for _, terms in SECTIONS for term in terms}
