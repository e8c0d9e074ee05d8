"""How the Mozilla HTTP Observatory would grade an answer: 100, less for what lacks, more for what is extra.

By its scoring table of 2024; 145 is the most that can be had. Extra points count from 90 upwards only.
What only the site as a whole shows (redirection, HSTS preloading) is graded by its headers here.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

SIX_MONTHS = 15_768_000
PRIVATE_REFERRERS = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
UNSAFE = {"'unsafe-inline'", "'unsafe-eval'", "data:", "http:", "https:", "*"}


def score(answer: Any) -> int:
    """Of an answer that came by HTTPS."""
    parts = graded(answer)
    total = 100 + sum(points for points in parts.values() if points < 0)
    return max(0, total + (sum(points for points in parts.values() if points > 0) if total >= 90 else 0))


def graded(answer: Any) -> dict[str, int]:
    policy = csp(answer)
    return {
        "Content-Security-Policy": of_csp(policy),
        "cookies": of_cookies(answer.cookies.values()),
        "Cross-Origin-Resource-Policy": of_corp(answer.headers.get("Cross-Origin-Resource-Policy", "")),
        "CORS": -50 if answer.headers.get("Access-Control-Allow-Origin") else 0,
        "Referrer-Policy": of_referrer(answer.headers.get("Referrer-Policy", "")),
        "Strict-Transport-Security": of_hsts(answer.headers.get("Strict-Transport-Security", "")),
        "scripts": of_scripts(answer),
        "X-Content-Type-Options": 0 if answer.headers.get("X-Content-Type-Options") == "nosniff" else -5,
        "X-Frame-Options": of_frames(policy, answer.headers.get("X-Frame-Options", "")),
    }


def csp(answer: Any) -> dict[str, set[str]]:
    directives = (part.split() for part in answer.headers.get("Content-Security-Policy", "").split(";"))
    return {part[0].lower(): set(part[1:]) for part in directives if part}


def of_csp(policy: dict[str, set[str]]) -> int:
    if not policy:
        return -25
    default = policy.get("default-src", {"*"})
    if UNSAFE & (policy.get("script-src", default) | policy.get("object-src", default)):
        return -20
    if UNSAFE & policy.get("style-src", default):
        return 0
    return 10 if default == {"'none'"} else 5


def of_cookies(cookies: Any) -> int:
    """Nothing without cookies; each must be Secure, those of sessions HttpOnly, all SameSite."""
    points = [of_cookie(cookie) for cookie in cookies if cookie.value]
    return min(points, default=0)


def of_cookie(cookie: Any) -> int:
    is_of_session = "sess" in cookie.key.lower() or "login" in cookie.key.lower()
    if not cookie["secure"]:
        return -40 if is_of_session else -20
    if is_of_session and not cookie["httponly"]:
        return -30
    if not cookie["samesite"]:
        return -20 if "csrf" in cookie.key.lower() else 0
    return 5


def of_corp(value: str) -> int:
    return {"same-origin": 10, "same-site": 10, "cross-origin": 0, "": 0}.get(value, -5)


def of_referrer(value: str) -> int:
    return 5 if value in PRIVATE_REFERRERS else -5 if value else 0


def of_hsts(value: str) -> int:
    found = re.search(r"max-age=(\d+)", value)
    if not found:
        return -20
    return 0 if int(found[1]) >= SIX_MONTHS else -10


def of_frames(policy: dict[str, set[str]], value: str) -> int:
    if policy.get("frame-ancestors", {"*"}) <= {"'none'", "'self'"}:
        return 5
    return 5 if value.upper() in {"DENY", "SAMEORIGIN"} else -20


def of_scripts(answer: Any) -> int:
    """From the site itself is safe; from elsewhere it would need a hash and HTTPS."""
    if answer.streaming or not answer.headers.get("Content-Type", "").startswith("text/html"):
        return 0
    page = Scripts()
    page.feed(answer.content.decode())
    return -50 if any("//" in source for source in page.sources) else 0


class Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.sources.append(dict(attrs).get("src") or "")
