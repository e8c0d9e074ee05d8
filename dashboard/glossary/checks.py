"""Whether it all agrees: reconciliation and the month close."""

from __future__ import annotations

from .terms import Term

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
