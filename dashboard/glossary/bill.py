"""What the bill comes to: costs that no cloud bills, prices, why they changed, what they will be."""

from __future__ import annotations

from .terms import Term

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
