"""With HELIOX_CITUS=1 the tests run in the sharded database that DATABASE_URL names, and keep it.

It has to be a coordinator with its workers, made as docs/scaling.md says; nothing else should be in it.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Databases that the tests made themselves would have no workers."""
    place = settings.DATABASES["default"]
    place.setdefault("TEST", {})["NAME"] = place["NAME"]


@pytest.fixture(scope="session", autouse=True)
def workers_hold_the_jobs(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        try:
            call_command("distribute")
        except CommandError as refused:
            pytest.exit(str(refused), returncode=2)
        connection.close()  # its settings are those of before


# Where workers hold the jobs there are no triggers, nothing is to be distributed any more, plans are those of
# shards, a job is compared with others in groups only, and comments on columns are left behind. Nothing tells
# whether anything was written, so that no page is kept and nothing is remembered until something is.
OF_ONE_MACHINE = (
    "test_distribute.py",
    "test_kept_pages.py",
    "test_late_indexes_postgresql.py",
    "test_plans.py",
    "test_writes.py",
    "test_a_job_that_ends_while_a_page_is_made_is_on_it",
    "test_a_setting_has_its_own_answers",
    "test_each_column_says_what_it_means",
    "test_each_index_is_read_by_a_page",
    "test_elsewhere_a_connection_is_asked_once_and_sqlite_never",
    "test_hours_and_numbers_of_days_that_are_over_are_read_once",
    "test_it_is_not_ready_without_the_triggers_of_the_roll_ups",
    "test_jobs_are_compared_alike_one_by_one_and_in_groups",
    "test_jobs_are_cut_alike_with_and_without_workers",
    "test_jobs_are_listed_and_filtered_as_ever",
    "test_no_page_of_many_names_reads_all_jobs",
    "test_no_page_of_the_list_reads_all_jobs",
    "test_plain_sql_keeps_the_sums",
    "test_settling_changes_by_what_is_known_that_nothing_is_noted",
    "test_sums_are_made_while_others_write",
    "test_the_models_of_days_that_are_over_are_counted_once",
    "test_the_models_of_days_that_go_on_are_counted_each_time",
    "test_the_parts_of_a_page_of_days_that_are_over_are_read_once",
    "test_triggers_are_installed_once_and_can_be_dropped",
    "test_triggers_that_are_missing_and_sums_that_differ_are_bad",
    "test_what_is_noted_is_read_only_where_something_is",
    "test_within_a_transaction_writers_wait_instead",
)

# To note what is written takes statements of its own.
COUNTING = {"django_assert_num_queries", "django_assert_max_num_queries"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    elsewhere = pytest.mark.skip(reason="asks for jobs on one machine")
    for item in items:
        counts = COUNTING & set(getattr(item, "fixturenames", ()))
        if counts or any(name in item.nodeid for name in OF_ONE_MACHINE):
            item.add_marker(elsewhere)
