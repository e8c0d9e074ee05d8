"""Tells a server of Sentry's kind what went wrong, without saying whom it happened to."""

from __future__ import annotations

from typing import Any

from django.conf import settings

KEPT_OF_REQUEST = ("method", "url")
KEPT_OF_EXCEPTION = ("type", "module")
KEPT_OF_MECHANISM = ("type", "handled", "exception_id", "parent_id", "is_exception_group", "source")
KEPT_OF_FRAME = (
    "filename",
    "function",
    "module",
    "lineno",
    "in_app",
    "pre_context",
    "context_line",
    "post_context",
)
LET_PAST = (
    "timestamp",
    "level",
    "logger",
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
        auto_session_tracking=False,
        server_name="heliox",
        # A rate of 0 would be one still: whoever sends a header for it could have a request traced and sent.
        traces_sample_rate=None,
        before_send_transaction=lambda event, hint: None,
        trace_propagation_targets=[],
        send_client_reports=False,  # of how many requests came
    )


def scrubbed(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """What is on the list and nothing else: of the request, the method and the path."""
    from . import current

    request = taken(event.get("request"), KEPT_OF_REQUEST)
    if "url" in request:
        request["url"] = request["url"].partition("?")[0]
    told = taken(event, LET_PAST) | {"request": request, "tags": {"request_id": current.request_id()}}
    if exceptions := (event.get("exception") or {}).get("values"):
        told["exception"] = {"values": [kind_and_place(one) for one in exceptions]}
    return told


def kind_and_place(exception: dict[str, Any]) -> dict[str, Any]:
    """Not what it says: a database's message quotes the row that it refuses."""
    told = taken(exception, KEPT_OF_EXCEPTION)
    told["mechanism"] = taken(exception.get("mechanism"), KEPT_OF_MECHANISM)
    if frames := (exception.get("stacktrace") or {}).get("frames"):
        told["stacktrace"] = {"frames": [taken(frame, KEPT_OF_FRAME) for frame in frames]}
    return told


def taken(facts: dict[str, Any] | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: facts[name] for name in names if name in facts} if facts else {}
