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
TEAM_SPEND = (
    Term(
        "allocation",
        "Cost of a team",
        "A team’s part of the bill. Per day, provider and GPU type the cost is divided by the larger of "
        "metered and job GPU-hours; each team pays for its hours. What a mapping gives to a team directly, "
        "such as the account of an inference service, goes to it before the rest is shared. Where nothing "
        "is metered, the jobs share the whole cost. Cents are shared once, by the largest remainder, from "
        "the day to the team, to its models, to its jobs.",
        "cost × the team’s job GPU-hours ÷ max(metered, job GPU-hours)",
    ),
    Term(
        "idle-cost",
        "Idle cost",
        "What was paid for metered hours that no job used, on days of which a job log speaks. It stays "
        "apart, or is spread over the teams that used the same GPUs that day: by their use, or evenly. On a"
        " day without use it is spread by the month’s use of the same GPUs; what no team used all month "
        "stays apart.",
        "cost × (metered − job GPU-hours) ÷ metered",
    ),
    Term(
        "unused-commitment",
        "Unused commitment",
        "The part of a reservation or savings plan that no running instance used. It costs, and has no "
        "hours. It is kept apart from idle cost: nobody could have run a job on it without starting an "
        "instance.",
        "Σ cost of lines whose commitment was not used",
    ),
    Term(
        "unallocated",
        "Unallocated",
        "Cost without hours to share it by: credits, days without a job log and without jobs. A night "
        "without a log is not known to be idle.",
    ),
    Term(
        "conservation",
        "Does it add up?",
        "Every cent of the bill stands in exactly one place. The bill is summed on its own, the parts on "
        "theirs; the difference is what is left, and must be 0.00.",
        "teams + idle + unused commitment + unallocated = bill",
    ),
    Term(
        "team-price",
        "Price of a job GPU-hour",
        "What an hour of jobs came to, of the cost that is shared by hours. Direct and idle cost are left "
        "out.",
        "shared cost ÷ job GPU-hours that are billed",
    ),
    Term(
        "running-cost",
        "Cost of running jobs",
        "What jobs that run now have cost so far, and what they cost an hour. The price is that of the last "
        "closed day of the same provider and GPU type, at most 35 days old; days that are not closed are "
        "estimated by it.",
        "GPUs × cost of the last closed day ÷ max(metered, job GPU-hours)",
    ),
    Term(
        "job-cost",
        "Cost of a job",
        "The job’s share of each day that it ran on, by the same rule as for its team, in whole cents. Idle"
        " cost is not part of it. Days that are not billed yet are estimated at the last known price and "
        "marked.",
        "Σ over its days: cost × the job’s GPU-hours ÷ max(metered, job GPU-hours)",
    ),
)
RATES = (
    Term(
        "billed-rate",
        "Billed rate",
        "What the invoice charges for a metered GPU-hour. Hours that a commitment covers bill 0, so the "
        "billed rate is low where much is covered. Not available where hours or cost are not above zero.",
        "billed cost ÷ metered GPU-hours",
    ),
    Term(
        "effective-rate",
        "Effective rate",
        "What a metered GPU-hour costs when what was paid in advance is spread over the hours that it "
        "covers. Not available where hours or cost are not above zero.",
        "effective cost ÷ metered GPU-hours",
    ),
    Term(
        "rate-gap",
        "Gap",
        "Effective less billed cost of the same GPUs. Above zero, hours were used that had been paid for in "
        "advance. Where no bill line tells the two apart the gap is 0.",
        "effective cost − billed cost",
    ),
    Term(
        "blended",
        "Blended rate",
        "All kinds of purchase together: on demand, spot and committed hours, and unused commitment, which "
        "costs and has no hours. A blended rate moves when the kinds shift, though no price has changed. "
        "GPUs without any metered hours, or without any cost, are in no rate.",
        "cost of all kinds ÷ metered GPU-hours of all kinds",
    ),
    Term(
        "kinds",
        "Kinds of purchase",
        "As the lines of the bill tell them: on demand, spot, committed, unused commitment. Cost that no "
        "line tells apart stands under where it comes from. Hours that are metered and have no cost row "
        "are a row of their own.",
    ),
    Term(
        "commitment-utilisation",
        "Commitment utilisation",
        "How much of what was committed and paid for was used, by effective cost. Contracted hours come "
        "from the contracts that administrators type in: GPUs × elapsed hours.",
        "covered cost ÷ (covered cost + unused commitment)",
    ),
    Term(
        "outlier",
        "Outlier",
        "Days on which an hour of one provider, GPU type and kind cost something else than usual. Usual is "
        "the median of the closed days of the range, at least seven. Far is more than 5.19 median absolute "
        "deviations (3.5 standard deviations), more than 5 % of the median, more than the rounding of cents "
        "and at least $1 a day. What was spread over days or priced by a rate is left out.",
        "|rate − median| > max(5.19 × median of |rate − median|, 5 % of the median)",
    ),
    Term(
        "cheapest",
        "Cheapest provider",
        "GPU types that cost at least a quarter more at one provider than at the cheapest one in the same "
        "range, all kinds blended, and what their hours would have cost at that rate. A comparison of what "
        "was paid, not a promise: terms, network and stock differ.",
        "cost − metered GPU-hours × rate of the cheapest provider",
    ),
)
BRIDGE = (
    Term(
        "bridge",
        "Bridge",
        "What moved the spend from one period to another of the same length, on closed days. Each provider, "
        "GPU type and kind is taken apart into hours and rate; the parts add up to the difference, to the "
        "cent.",
        "volume + mix + rate + new + gone + no rate = spend now − spend before",
    ),
    Term(
        "bridge-volume",
        "Volume",
        "The cost of more or fewer hours, had all of them grown alike and no rate changed. Of what has a "
        "rate in both periods.",
        "cost before × (all hours now ÷ all hours before − 1)",
    ),
    Term(
        "bridge-mix",
        "Mix",
        "The cost of hours that grew more or less than the total: towards dear or cheap GPUs, providers and "
        "kinds. At old rates.",
        "cost before × (its hours now ÷ its hours before − all hours now ÷ all hours before)",
    ),
    Term(
        "bridge-rate",
        "Rate",
        "What the hours of the new period cost more or less because an hour has another price.",
        "(rate now − rate before) × hours now",
    ),
    Term("bridge-new", "New", "The cost of what had no cost before.", "cost now"),
    Term("bridge-gone", "Gone", "The cost of what has no cost any more, taken off.", "− cost before"),
    Term(
        "bridge-no-rate",
        "No rate",
        "The difference where hours and rate cannot be told apart: unused commitment, cost without metered "
        "hours, credits, and cost that is not above zero.",
        "cost now − cost before",
    ),
)
RECONCILIATION = (
    Term(
        "bill-parts",
        "Parts of a bill",
        "The lines of a bill on the billed basis, per account and billing period, whatever their day: lines "
        "with a GPU type; cores and memory that are billed beside a GPU (host); other services; support, "
        "where the bill has a category for it; purchases of commitments; tax; credits. Entered by hand are "
        "figures of the same days that no bill line brought. The parts are whole cents that add up to the "
        "bill.",
        "GPU + host + other services + support + purchases + tax + credits + entered = bill",
    ),
    Term(
        "invoice-difference",
        "Invoice difference",
        "The total that finance read off the invoice, less the bill of the same account and billing period. "
        "Only 0.00 is a match. Each idea of what may explain a difference is held against the stored figures "
        "and shown where it fits; “to the cent” marks those that account for all of it.",
        "invoice − bill",
    ),
    Term(
        "three-way-match",
        "Three-way match",
        "Each day, provider and GPU type has a cost or not, metered hours or not, job hours or not: seven "
        "states. A stored 0.00 is there. Their money and hours add up to those of Costs and Usage.",
        "Σ cost of the seven states = spend",
    ),
    Term(
        "state-matched",
        "Billed, metered and run",
        "Cost, metered hours and job hours are all there, as they should be.",
    ),
    Term(
        "state-nobody-ran",
        "Paid for and nobody ran",
        "Cost and metered hours without a job: idle GPUs, or a job log is missing or names them otherwise.",
    ),
    Term(
        "state-not-metered",
        "Paid for and run, not metered",
        "Cost and jobs without metered hours: usage was not imported, or the provider meters no hours.",
    ),
    Term(
        "state-cost-only",
        "Paid for, neither metered nor run",
        "Cost alone: credits, fees and unused commitment, or the hours stand under another name.",
    ),
    Term(
        "state-not-billed",
        "Metered and run, nobody billed",
        "Metered hours and jobs without a cost: the bill lacks the day or names the GPUs otherwise.",
    ),
    Term(
        "state-metered-only",
        "Metered, neither billed nor run",
        "Metered hours alone: usage came without its cost.",
    ),
    Term(
        "state-jobs-only",
        "Ran and nobody billed",
        "Jobs alone: a mapping, an alias or a rate is missing, or nobody bills these GPUs.",
    ),
    Term(
        "over-reported",
        "Over-reported",
        "Jobs report more GPU-hours than the provider metered that day, by more than 0.01 h. Mostly several "
        "jobs overlap on GPUs that were metered once, or a job holds a part of a GPU and counts as a whole.",
        "job GPU-hours − metered GPU-hours > 0.01",
    ),
    Term(
        "data-gaps",
        "Gap in the data",
        "A closed day between a provider’s first and last known day that lacks a cost row, metered hours or "
        "a job log. A stored 0.00 is no gap. Open days are not judged, nor days before the provider’s first "
        "or after the last of one that has ended.",
    ),
    Term(
        "log-coverage",
        "Days that a job log covers",
        "From the day of the first to the day of the last instant that an imported log speaks of, by the "
        "provider’s bill clock, for the providers that the log names or that its cluster is mapped to. Only "
        "there is a day without jobs known to be idle.",
    ),
)
CONTRACTS = (
    Term(
        "period-entry",
        "Period entry (spread)",
        "A total that somebody typed in or imported for several days, because no daily bill tells it. It is "
        "shared among its days by contracted capacity where a commitment covers any of them, else by "
        "metered hours, else by elapsed time, and adds up to the cent. It adds to whatever else stands on "
        "the same day. Its days are marked “spread”: they are a share, not what a day cost.",
        "total × weight of the day ÷ Σ weights",
    ),
    Term(
        "rate",
        "Rate (internal price)",
        "What GPUs cost that nobody bills, such as an own cluster. A price per GPU and month posts cost and "
        "metered hours every day through today, used or not. A price per GPU-hour posts the hours of jobs. A "
        "rate posts nothing where another cost is known for the day; there it is only the internal price.",
        "price × GPUs × elapsed hours ÷ hours of the month; or price × job GPU-hours",
    ),
    Term(
        "recovery",
        "Over- or under-recovered",
        "What the jobs were charged at the price per GPU-hour, held against what the same GPUs cost. Only "
        "days whose cost is known are compared: on the others the charge is the cost. Above zero the price "
        "was higher than the cost, below zero it left a part of the cost uncharged.",
        "charged on days with a known cost − cost of these days",
    ),
    Term(
        "contracted-capacity",
        "Commitment (contracted capacity)",
        "GPUs that a contract promises at any time from one day to another. It costs nothing by itself: it "
        "tells when a contract ends and how a period entry of the same GPUs is shared among its days.",
        "GPUs × elapsed hours",
    ),
)
CLOSING = (
    Term(
        "month-close",
        "Month close",
        "A month that is closed keeps its statements: team by team, with names, cost centres, basis and "
        "idle view as they were. Only the newest close can be withdrawn, with a reason.",
        "statement = this month + accrued + prior periods",
    ),
    Term(
        "accrual",
        "Accrual",
        "What is expected of a bill that has not come when a month is closed: hours without a cost at the "
        "last closed price, or what was typed in. It is shared by the job hours that nobody billed.",
        "GPU-hours without a cost × the last price",
    ),
    Term(
        "prior-period",
        "Prior period",
        "What a month that was closed before came to beyond all that closed statements said of it: an "
        "invoice after its accrual, a late refund, a correction. It stands on the next month’s statements.",
        "the month now − all closed lines of it",
    ),
    Term(
        "restated",
        "Restated",
        "What a closed month comes to now, less as it was billed when it was closed, by each import and "
        "edit that moved it. The statements stay; what none of them says yet goes to the next month that "
        "is closed.",
        "now − as it was billed; less accruals and prior periods, what waits for the next close",
    ),
    Term(
        "journal",
        "Journal",
        "A closed month for the ledger: one signed amount for each team, provider, month and kind, posted "
        "on the month’s last day to the team’s cost centre. Credits and what is given back are below zero; "
        "the other side of the entry is the provider’s account.",
        "Σ journal = bill + accrued + prior periods = Σ statements",
    ),
)
PLANNING = (
    Term(
        "forecast",
        "Forecast",
        "What is booked of closed days, and what the other days are expected to cost. Each provider is "
        "looked at by itself: the mean of its last seven closed days without the highest and the "
        "lowest, weekdays evened out by eight weeks, and half of its slope where three fortnights in a "
        "row rose or fell. Open days tell nothing yet, days without a bill are unknown, and one odd day"
        " or credit bends nothing; a credit that is booked counts. Nothing is expected of a provider "
        "without a bill for the last two weeks of its closed days, or that bills no more: its last bill is "
        "35 days older than the newest of all.",
        "booked of closed days + Σ expected of the other days",
    ),
    Term(
        "budget",
        "Budget",
        "An amount a month for all GPUs, a provider, a GPU type or a team, with a basis and an idle "
        "view of its own: no filter of a page decides whether it is kept. Spent is the cost of the days "
        "that are closed at every provider that counts; days of one that has ended are closed with those "
        "of the others. The pace is the part of the amount that these days have of the month’s days. "
        "What a team will spend is what the whole bill is expected to, times the team’s share of the "
        "last 28 closed days. Thresholds are percents of the amount, by what is spent.",
        "used = spent ÷ budget; pace = budget × closed days ÷ days of the month",
    ),
    Term(
        "forecast-error",
        "Error and band of a forecast",
        "What the forecast would have said on days 5, 10 and 20 of past months, by what was closed "
        "then, against what came. The band is as wide as four of five forecasts of as many days were "
        "off at most, in the half year before; too few of them, and there is none. “Band held” counts "
        "how often what came lay within.",
        "|said − came| ÷ came, and its mean",
    ),
)
WASTE = (
    Term(
        "waste",
        "Waste, counted once",
        "What was paid for without a result in the range: the cost of failed and cancelled jobs, of GPUs "
        "that stood idle, and of commitments that nobody used. These are different lines of one bill. It "
        "says what was spent, not what will be saved: nothing of it is carried on to other days.",
        "failed + cancelled + idle + unused commitment",
    ),
    Term(
        "lost-jobs",
        "Cost of failed and cancelled jobs",
        "A team’s share of a day, provider and GPU type goes to its models by their hours, and a model’s "
        "part to what became of its jobs by theirs: completed, failed, cancelled, running. The cents of all "
        "of these add up to the team’s share.",
        "cost of the team’s model × hours of its failed and cancelled jobs ÷ hours of all its jobs",
    ),
    Term(
        "cost-per-success",
        "Cost per successful run",
        "All that a team’s model cost in the range, whatever became of its jobs, by each run that completed. "
        "A run counts where it overlaps the range, its cost only on the days of the range. Where none "
        "completed there is no such figure.",
        "cost of all jobs ÷ completed runs",
    ),
    Term(
        "idle-gpus",
        "Idle GPUs",
        "Idle cost by provider and GPU type, with the hours behind it. How the idle part was bought no bill "
        "tells, so it is split in the proportion in which that day was paid for: on demand and spot, which "
        "ends when GPUs are released; what is paid either way, such as a commitment or an own cluster; and "
        "costs of which nobody knows.",
        "cost × (metered − job GPU-hours) ÷ metered",
    ),
    Term(
        "stuck-jobs",
        "Stuck jobs",
        "Jobs that run longer than 99 of 100 of the newest 300 finished runs of the same team and model "
        "in half a year, where there are 100 at least; and jobs whose times belie their status: running "
        "with an end, "
        "finished without one, pending with a start. They are likely stuck, or their record is wrong.",
        "now − start > 99th percentile of finished runs",
    ),
)
WATCHING = (
    Term(
        "anomaly",
        "Anomaly",
        "Days on which a provider’s GPU type cost far more or less than was expected: the median of the "
        "same weekday in the eight weeks before, moved by the median distance of the last 28 days. Far is "
        "six times their usual distance from that (1.4826 × the median absolute deviation, 2 % of what is "
        "expected at least), and more than a floor in dollars. Days that belong together are one anomaly; "
        "seven of them are a new level, and later days are held against that. A day without a row is "
        "missing, not nought. The hours part is what other hours at the old rate come to, the rate part "
        "the rest.",
        "difference = actual − expected = Δhours × old rate + Δrate × new hours",
    ),
    Term(
        "day-note",
        "Note on a day",
        "A sentence that somebody left on a day, for all GPUs or for a provider and GPU type. Charts over "
        "time mark the day, or the week or month that holds it. Who wrote it and administrators change it.",
    ),
)
SECTIONS = (
    ("Money", MONEY),
    ("Costs that no cloud bills", CONTRACTS),
    ("Cost of teams", TEAM_SPEND),
    ("Waste", WASTE),
    ("Unit prices", RATES),
    ("Bridge", BRIDGE),
    ("Planning", PLANNING),
    ("Month close", CLOSING),
    ("Watching", WATCHING),
    ("Reconciliation", RECONCILIATION),
    ("Hours", HOURS),
    ("Days and ranges", DAYS),
    ("Names and files", NAMES),
    ("Jobs and teams", COUNTS),
)


def term(anchor: str) -> Term:
    return BY_ANCHOR[anchor]


BY_ANCHOR = {term.anchor: term for _, terms in SECTIONS for term in terms}
