"""What falls to teams, and what nobody had anything of."""

from __future__ import annotations

from .terms import Term

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
