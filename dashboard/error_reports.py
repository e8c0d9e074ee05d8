"""Tells a server of Sentry's kind what went wrong, without saying whom it happened to."""

from __future__ import annotations

from typing import Any

from django.conf import settings

KEPT_OF_REQUEST = ("method", "url")
LET_PAST = (
    "timestamp",
    "level",
    "logger",
    "exception",
    "transaction",
    "event_id",
    "platform",
    "release",
    "sdk",
)


def begin() -> None:
    """Where HELIOX_ERRORS_DSN says so, and not before."""
    if not settings.HELIOX_ERRORS_DSN:
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.HELIOX_ERRORS_DSN,
        before_send=scrubbed,  # type: ignore[arg-type]
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        server_name="heliox",
        traces_sample_rate=0,
    )


def scrubbed(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """What is on the list and nothing else: of the request, the method and the path."""
    from . import current

    request = event.get("request", {})
    told = {key: request[key] for key in KEPT_OF_REQUEST if key in request}
    if "url" in told:
        told["url"] = told["url"].partition("?")[0]
    kept = {key: event[key] for key in LET_PAST if key in event}
    return kept | {"request": told, "tags": {"request_id": current.request_id()}}
