"""What every page prints: zone, basis and the moment it speaks of."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from .clock import now


def site(request: HttpRequest) -> dict[str, Any]:
    openings = getattr(request, "openings", {})
    own = {"csrf_token": openings["csrf_token"]} if openings else {}
    return own | {
        "openings": openings,
        "theme": request.COOKIES.get("theme", ""),
        "replica_note": getattr(request, "replica_note", ""),
        "zone": settings.TIME_ZONE,
        "basis": settings.HELIOX_COST_BASIS,
        "as_of": now(),
        "demo": getattr(settings, "HELIOX_DEMO", False),
    }
