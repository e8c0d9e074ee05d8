"""The databases of the addresses in the environment, as Django is told of them."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from heliox_site.environment import text

VAR_DIR = Path(__file__).resolve().parent.parent / "var"
# A database that is gone is told of after `timeout`. An attempt to connect ends after `reconnect_timeout`,
# and the next request begins another: left alone, the pool waits longer each time, half a minute in the end.
REACHING = {"connect_timeout": 2, "tcp_user_timeout": 10_000}
POOL = {"min_size": 1, "max_size": 8, "timeout": 2, "reconnect_timeout": 1, "max_idle": 300}
SQLITE, POSTGRESQL = "django.db.backends.sqlite3", "django.db.backends.postgresql"
OPTIONS_OF_SQLITE = {"timeout", "transaction_mode", "init_command"}
WITHOUT_POOL = "dashboard.trouble.watched"


def database(url: str, called: str = "DATABASE_URL", pooled: bool = False) -> dict[str, Any]:
    """What Django is told of it; an empty URL means the embedded one."""
    if not url:
        VAR_DIR.mkdir(exist_ok=True)
        return sqlite({"ENGINE": SQLITE, "NAME": VAR_DIR / "heliox.sqlite3"})
    config: dict[str, Any] = {}
    with suppress(ValueError):
        config = dict(dj_database_url.parse(url))
    options = config.setdefault("OPTIONS", {})
    if config.get("ENGINE") == SQLITE and config["NAME"] not in ("", ":memory:"):  # which nobody shares
        refuse_unknown(options, OPTIONS_OF_SQLITE, called)
        return sqlite(config)
    if config.get("ENGINE") == POSTGRESQL and (config.get("NAME") or "service" in options):
        refuse_unknown(options, options_of_postgresql(), called)
        return postgresql(config, url, pooled)
    # The value is not repeated here: it may hold a password.
    raise ImproperlyConfigured(
        f"{called} is not understood, expected postgres://user:password@host:5432/name "
        "or sqlite:///path/to/file (special characters in a password or a socket path are percent-encoded)."
    )


def options_of_postgresql() -> set[str]:
    """Those that libpq knows, and Django's; how connections are pooled is not the address's to say."""
    from psycopg.pq import Conninfo

    of_libpq = {option.keyword.decode() for option in Conninfo.get_defaults()}
    return of_libpq | {"assume_role"}


def refuse_unknown(options: dict[str, Any], known: set[str], called: str) -> None:
    if unknown := sorted(options.keys() - known):
        raise ImproperlyConfigured(
            f"{called} has an option that is not known, {unknown[0]!r}: take it out, or correct it."
        )


def sqlite(config: dict[str, Any]) -> dict[str, Any]:
    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,  # seconds; a large import holds the only lock for many of them
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=60000",
    }
    config["OPTIONS"] = options | config.get("OPTIONS", {})
    # A file, not memory: the live server's threads then have connections of their own, as in service.
    config["TEST"] = {"NAME": f"{tempfile.gettempdir()}/heliox-test-{os.getpid()}.sqlite3"}
    return config


def postgresql(config: dict[str, Any], url: str, pooled: bool) -> dict[str, Any]:
    host = unquote(urlsplit(url).netloc.rpartition("@")[2])
    if host.startswith("/"):  # a socket directory, whose capitals the URL parser would lower
        config["HOST"] = host.partition(":")[0]
    config["CONN_MAX_AGE"] = 0
    config["CONN_HEALTH_CHECKS"] = True
    from dashboard.trouble.frozen import Watched

    pool = {"pool": POOL | {"connection_class": Watched}} if pooled else {}
    config["OPTIONS"] = REACHING | pool | config.get("OPTIONS", {})
    return config


def replica(name: str, primary: dict[str, Any]) -> dict[str, Any]:
    """Nothing, or the replica that pages are read from."""
    url = text(name)
    if not url:
        return {}
    config = database(url, name)
    if config["ENGINE"] != POSTGRESQL:
        raise ImproperlyConfigured(f"{name} is not a PostgreSQL database, and only those have replicas.")
    if primary["ENGINE"] != POSTGRESQL:
        raise ImproperlyConfigured(f"{name} is set, but DATABASE_URL is not a PostgreSQL database.")
    if url == text("DATABASE_URL"):
        raise ImproperlyConfigured(f"{name} is the same as DATABASE_URL: unset it, or name the replica.")
    # Each thread keeps its connection: a pool would try for long to reach a replica that is gone.
    config["ENGINE"], config["CONN_MAX_AGE"] = WITHOUT_POOL, 300
    config["TEST"] = {"MIRROR": "default"}
    return {"replica": config}
