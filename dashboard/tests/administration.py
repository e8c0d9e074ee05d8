"""What the tests of the admin send to its forms, and read off its pages."""

from __future__ import annotations

from datetime import datetime

from dashboard.models import Job

from .conftest import at, make_team

JOBS = "/admin/dashboard/job/"
TEAMS = "/admin/dashboard/team/"
COSTS = "/admin/dashboard/costsnapshot/"


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def job_form(job: Job | None = None, **changes) -> dict[str, str]:
    """What the form of a job sends, but for what is named."""

    def split(name: str, moment: datetime | None) -> dict[str, str]:
        day, time = (f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}") if moment else ("", "")
        return {f"{name}_0": day, f"{name}_1": time}

    job = job or Job(
        team=make_team("vision"),
        model_name="resnet",
        provider="AWS",
        gpu_type="A100-80GB",
        status="completed",
        start_time=at("2025-03-01 00:00"),
        end_time=at("2025-03-01 01:00"),
    )
    facts = {
        "team": str(job.team_id),
        "model_name": job.model_name,
        "status": job.status,
        "provider": job.provider,
        "gpu_type": job.gpu_type,
        "gpu_count": str(job.gpu_count),
        **split("submit_time", job.submit_time),
        **split("start_time", job.start_time),
        **split("end_time", job.end_time),
    }
    return facts | changes


def errors_of(response, field: str) -> list[str]:
    assert response.status_code == 200
    return list(response.context["adminform"].form.errors.get(field, []))
