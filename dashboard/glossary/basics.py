"""What every page speaks of: money, hours, days, names and counts."""

from __future__ import annotations

from .terms import Term

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
        "On demand, spot and committed hours are blended; unused commitment and credits count. A GPU type of "
        "a provider that has no metered hours in the range is left out with its cost, and one that has no "
        "cost with its hours. Not available where hours or net cost are not above zero.",
        "net cost ÷ metered GPU-hours, of GPUs that have both",
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
        "less the provider's lag. A total that was typed in is complete to its last day, a rate through "
        "yesterday. Open days are drawn lighter and marked. “Last 7 days” are the last seven that are "
        "closed at every provider that still bills; one that has no closed day yet does not count.",
    ),
    Term(
        "comparison",
        "Change",
        "Like for like: as many closed days on both sides, both spans printed. A range is compared with as "
        "many days before it, a month with the month before, or with the same days of last month or last "
        "year; where a month is shorter, both sides are cut. There is no percentage when the base is under "
        "1 cent, no day of a provider is closed yet, or it lacks a day since its first, unless it bills no "
        "more: the words say which. Shares change in points.",
        "(now − before) ÷ before",
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
COUNTS = (
    Term(
        "data-quality",
        "Data quality",
        "Checks of what is stored: records that cannot be, that lack something, that are likely there twice, "
        "names that meet nothing, days without data. Each says how many it found, what that does to the "
        "figures and where to mend it. Nothing is corrected silently.",
    ),
    Term(
        "duplicates",
        "Jobs stored twice",
        "Two records with the same team, model, GPUs, provider, start and end under different ids. Of one "
        "cluster’s log each id is a job of its own, so only records from different logs, or typed in, are "
        "taken for duplicates.",
    ),
    Term(
        "running",
        "Running jobs",
        "Jobs with status running that have begun and have no end, at the moment of looking.",
    ),
    Term(
        "teams-counted",
        "Teams",
        "Teams with a job in the range, or with one running now. A job on the border of two days, ranges or "
        "months counts in both.",
    ),
    Term("models", "Models", "The names of models that jobs of the range carry."),
    Term(
        "share-of-hours",
        "Share of hours",
        "A team's part of all job GPU-hours on the page. It says nothing of cost: hours cost more on one GPU "
        "than on another.",
        "job GPU-hours of the team ÷ job GPU-hours of all",
    ),
)
