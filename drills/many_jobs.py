"""Jobs by the hundred thousand, put in by plain SQL as another program might."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from dashboard import rollups
from dashboard.late_indexes import indexes_made_afterwards
from dashboard.tests.conftest import make_cost, make_team, make_usage
from dashboard.tests.servers import connected_to

TEAMS = 10
# Of ninety days up to the end of March 2025, each of half an hour to ten; n is the number of the job.
POSTGRESQL = """
INSERT INTO jobs (id, team_id, model_name, gpu_type, provider, start_time, end_time, status)
SELECT md5(n::text)::uuid, (%s::uuid[])[1 + n %% {teams}], 'model ' || n %% 40, 'A100-80GB', 'AWS', began,
    began + make_interval(mins => 30 + n %% 570), 'completed'
FROM (SELECT n, timestamptz '2025-03-31Z' - make_interval(secs => n %% 7776 * 1000 + n %% 997) AS began
      FROM generate_series(1, %s) AS n) AS one
"""
SQLITE = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < %s)
INSERT INTO jobs (id, team_id, model_name, gpu_type, provider, start_time, end_time, status)
SELECT printf('%%032x', n), json_extract(%s, '$[' || (n %% {teams}) || ']'), 'model ' || n %% 40, 'A100-80GB',
    'AWS', began, datetime(began, (30 + n %% 570) || ' minutes'), 'completed'
FROM (SELECT n, datetime('2025-03-31', '-' || (n %% 7776 * 1000 + n %% 997) || ' seconds') AS began
      FROM counted)
"""


def fill(url: str, jobs: int) -> None:
    """January to March 2025 of one provider and ten teams."""
    with connected_to(default=url):
        teams: list[Any] = [make_team(f"team {n}").pk for n in range(TEAMS)]
        for day in (f"2025-03-{number:02}" for number in range(1, 32)):
            make_cost(day, "1234.56")
            make_usage(day, "5000.00")
        with transaction.atomic(), indexes_made_afterwards("jobs"), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(POSTGRESQL.format(teams=TEAMS), [teams, jobs])
            else:
                keys = ", ".join(f'"{key.hex}"' for key in teams)
                cursor.execute(SQLITE.format(teams=TEAMS), [jobs, f"[{keys}]"])
        rollups.settle()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
