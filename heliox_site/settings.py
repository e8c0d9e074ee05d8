"""All settings of Heliox, read from the environment; a bad value stops the start with a sentence.

HELIOX_DEBUG=1 is for developers, HELIOX_DEMO=1 is what `make run` sets, anything else is production.
"""

import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from heliox_site.databases import VAR_DIR, database, replica
from heliox_site.environment import (
    choice,
    fixed_now,
    for_extra,
    listed,
    mail_addresses,
    sender,
    switch,
    text,
    time_zone,
    weakness_of_secret,
    web_address,
    whole_number,
)

BASE_DIR = Path(__file__).resolve().parent.parent


def metrics_token() -> str:
    value = for_extra("HELIOX_METRICS_TOKEN", "prometheus_client", "metrics")
    if value and len(value) < 16:
        raise ImproperlyConfigured("HELIOX_METRICS_TOKEN is too short: give at least 16 random characters.")
    return value


def errors_dsn() -> str:
    value = for_extra("HELIOX_ERRORS_DSN", "sentry_sdk", "errors")
    try:
        where = urlsplit(value)
        number = int(where.path.rpartition("/")[2] or -1)
        plain = where.scheme in {"http", "https"} and where.username and (where.port or 1) and number >= 0
    except ValueError:
        plain = False
    if value and not plain:
        raise ImproperlyConfigured("HELIOX_ERRORS_DSN is not understood, expected https://key@host/number.")
    return value


def mail(name: str) -> dict[str, Any]:
    """smtp://user:password@host:port, smtp+tls:// (STARTTLS) or smtps://; without it no mail leaves."""
    value = text(name)
    if not value:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    try:
        where = urlsplit(value)
        schemes = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
        port = where.port or schemes[where.scheme]
    except (KeyError, ValueError):
        where = urlsplit("")
    if not where.hostname:  # the value is not repeated: it may hold a password
        raise ImproperlyConfigured(f"{name} is not understood, expected smtp+tls://user:password@host:587.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": where.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(where.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(where.password or ""),
        "EMAIL_USE_TLS": where.scheme == "smtp+tls",
        "EMAIL_USE_SSL": where.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }


def local_secret_key() -> str:
    """Made once and kept in var/, so that sign-ins on this machine survive a restart."""
    path = VAR_DIR / "secret_key"
    VAR_DIR.mkdir(exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()


RANDOM = (
    "at least 32 random characters, "
    "for example from: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
)


def secret_key() -> str:
    value = text("HELIOX_SECRET_KEY")
    if weakness := value and weakness_of_secret(value):
        raise ImproperlyConfigured(f"HELIOX_SECRET_KEY is {weakness}: give {RANDOM}")
    if value:
        return value
    if TESTING:
        return "for-tests-only-" + "never-in-production-" * 3
    if LOCAL:
        return local_secret_key()
    raise ImproperlyConfigured(f"HELIOX_SECRET_KEY is missing. Production needs a secret of {RANDOM}")


# What Django finds in a request: without a port and a dot at the end, which it takes off, and without an
# underscore, with which it finds no host at all.
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f]*:[0-9a-f:.]+\]", re.IGNORECASE)


def allowed_hosts() -> list[str]:
    hosts = listed("HELIOX_ALLOWED_HOSTS")
    for host in hosts:
        if "*" not in host and host != "." and not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"HELIOX_ALLOWED_HOSTS holds {host!r}, "
                "expected names such as heliox.example.com, with commas between: "
                "of letters, digits, hyphens and dots, without a port and a dot at the end."
            )
        if "*" in host or host == ".":
            raise ImproperlyConfigured(
                f"HELIOX_ALLOWED_HOSTS holds {host!r}, which lets in every name: "
                "list those that Heliox serves."
            )
    for is_on, why in (
        (DEBUG, "HELIOX_DEBUG shows settings and code to whoever finds an error"),
        (HELIOX_DEMO, "HELIOX_DEMO has sign-ins that everybody knows"),
    ):
        if hosts and is_on and not TESTING:
            raise ImproperlyConfigured(
                f"{why}, so it is for this machine only: "
                "unset it in production, or unset HELIOX_ALLOWED_HOSTS."
            )
    if LOCAL:
        return [*hosts, "localhost", "127.0.0.1", "[::1]"]
    if not hosts:
        raise ImproperlyConfigured(
            "HELIOX_ALLOWED_HOSTS is missing. Production needs the host names it serves, "
            "with commas between, for example HELIOX_ALLOWED_HOSTS=heliox.example.com"
        )
    return hosts


# pytest sets this for the length of its run, before Django is loaded; a variable alone is no test.
TESTING = "PYTEST_VERSION" in os.environ and "pytest" in sys.modules
DEBUG = switch("HELIOX_DEBUG")
HELIOX_DEMO = switch("HELIOX_DEMO")
LOCAL = DEBUG or HELIOX_DEMO or TESTING

SECRET_KEY = secret_key()
ALLOWED_HOSTS = allowed_hosts()

USE_TZ = True
TIME_ZONE = time_zone("HELIOX_TIME_ZONE")
HELIOX_COST_BASIS = choice("HELIOX_COST_BASIS", ("effective", "billed"))
HELIOX_SPREAD_CREDITS = choice("HELIOX_SPREAD_CREDITS", ("0", "1")) == "1"
HELIOX_FISCAL_MONTH = int(choice("HELIOX_FISCAL_MONTH", tuple(str(month) for month in range(1, 13))))
HELIOX_AS_OF = fixed_now("HELIOX_AS_OF", TIME_ZONE)
if HELIOX_AS_OF and not LOCAL:
    raise ImproperlyConfigured(
        "HELIOX_AS_OF fixes the clock and is for demonstrations, debugging and tests: unset it in production."
    )

# No pool under test: it would hold connections to a database that is to be dropped.
DATABASES = {"default": database(text("DATABASE_URL"), pooled=not TESTING)}
DATABASES |= replica("DATABASE_REPLICA_URL", DATABASES["default"])
DATABASE_ROUTERS = ["dashboard.databases.ReadsFollowTheRequest"] if "replica" in DATABASES else []
HELIOX_REPLICA_LAG = whole_number("HELIOX_REPLICA_LAG", 10, most=3600)
# Seconds that a page of a web process waits for PostgreSQL to answer, and for rows that others hold: wsgi.py.
# Who is not the first to wait for a row waits twice: for the one before, and for the row.
HELIOX_PAGE_SECONDS = whole_number("HELIOX_PAGE_SECONDS", 60, most=3600)
HELIOX_LOCK_SECONDS = whole_number("HELIOX_LOCK_SECONDS", 2, most=3600)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# SQLite keeps no comments of columns and no columns beside an index's key, and would say so on every migrate.
# W009 wants 50 characters of a secret: 32 random ones are enough, and what else it finds is refused above.
SILENCED_SYSTEM_CHECKS = ["fields.W163", "models.W040", "models.W046", "security.W009"]

ROOT_URLCONF = "heliox_site.urls"
WSGI_APPLICATION = "heliox_site.wsgi.application"
INSTALLED_APPS = [
    "heliox_site.apps.HelioxAdminConfig",
    "heliox_site.apps.PeopleConfig",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_tables2",
    "django_filters",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "dashboard",
]
MIDDLEWARE = [
    "dashboard.request_log.RequestLog",  # around all others: what they answer is told, too
    # Early, so that refusals and redirects by those below carry their headers too.
    "dashboard.people.headers.add_headers",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.views.health.answer_probes",
    "dashboard.edge.refuse_unreadable",
    "dashboard.edge.wait_for_no_one_gone",
    "dashboard.edge.LimitBodies",  # before the CSRF check, which would read the body first
    "dashboard.writes.ask_once",
    "dashboard.people.sessions.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.people.sessions.LimitSessions",
    "dashboard.edge.LimitFiles",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "dashboard.people.second_factor.RequireSecondFactor",
    "dashboard.people.methods.ThreeMethods",
    "dashboard.people.teams.KeepTeamsApart",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.databases.ReadFromReplica",
    "dashboard.edge.FilesAtLeisure",  # of the connection that the one above chose
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.site",
            ],
        },
    },
]

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["heliox_site.formats"]
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
PLAIN_STATIC = DEBUG or TESTING
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if PLAIN_STATIC
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = PLAIN_STATIC

DATA_UPLOAD_MAX_NUMBER_FILES = 20
HELIOX_UPLOAD_MB = whole_number("HELIOX_UPLOAD_MB", 64, most=2048)
# Tests leave files unread, and their client, unlike a server, then never closes them.
HELIOX_FILES_AT_ONCE = whole_number("HELIOX_FILES_AT_ONCE", 1000 if TESTING else 2, most=1000)

# How many times as long as it worked an import may rest for others. Tests do what they do at once.
HELIOX_IMPORT_RESTS = 0 if TESTING else whole_number("HELIOX_IMPORT_RESTS", 4, most=100, least=0)
# Of pages as they were made, in each process. Tests look at what pages say, not at what they said.
HELIOX_PAGES_MB = 0 if TESTING else whole_number("HELIOX_PAGES_MB", 32, most=4096, least=0)

LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTHENTICATION_BACKENDS = ["dashboard.people.backend.Backend"]
if HELIOX_DEMO:
    AUTHENTICATION_BACKENDS.append("dashboard.demo.DemoBackend")
SHORTEST_PASSWORD = 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "MinimumLengthValidator": {"min_length": SHORTEST_PASSWORD},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
# The first writes; the others read what was written before and are replaced at the next sign-in.
PASSWORD_HASHERS = [
    "dashboard.people.passwords.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# How long somebody stays signed in: until idle for that long, and never beyond the days.
SESSION_COOKIE_AGE = whole_number("HELIOX_IDLE_MINUTES", 8 * 60, most=7 * 24 * 60) * 60
HELIOX_SIGNED_IN_SECONDS = whole_number("HELIOX_SIGNED_IN_DAYS", 7, most=90) * 24 * 3600
HELIOX_REQUIRE_SECOND_FACTOR = choice("HELIOX_REQUIRE_SECOND_FACTOR", ("", "staff", "all"))
# Codes are throttled as passwords are; django-otp's own wait doubles with each error, to days.
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
# Only where a proxy sets X-Forwarded-Proto and X-Request-ID and adds to X-Forwarded-For by itself.
HELIOX_BEHIND_PROXY = switch("HELIOX_BEHIND_PROXY")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # Bootstrap's style sheet draws its form icons from data: addresses
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
if not LOCAL:
    if HELIOX_BEHIND_PROXY:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # probes come without TLS
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_SECURE = True
    CSRF_COOKIE_NAME = "__Host-csrftoken"

CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"
HELIOX_MAIL_URL = text("HELIOX_MAIL_URL")
globals().update(mail("HELIOX_MAIL_URL"))
SERVER_EMAIL = DEFAULT_FROM_EMAIL = sender("HELIOX_MAIL_FROM", "heliox@localhost")
HELIOX_SITE_URL = web_address("HELIOX_SITE_URL")
HELIOX_DIGEST_TO = mail_addresses("HELIOX_DIGEST_TO")
HELIOX_DIGEST_WEBHOOK = web_address("HELIOX_DIGEST_WEBHOOK", any_path=True)

HELIOX_METRICS_TOKEN = metrics_token()
HELIOX_ERRORS_DSN = errors_dsn()
WRONGLY_ASKED = ("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "TooManyFilesSent")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "dashboard.log_lines.JsonLines"},
        "readable": {"()": "dashboard.log_lines.ReadableLines"},
    },
    "filters": {"asked_wrongly": {"()": "dashboard.log_lines.AskedWrongly"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "readable" if LOCAL else "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"level": "ERROR"},  # what was asked wrongly has a line of its own already
        "heliox": {"level": "WARNING" if HELIOX_DEMO else "INFO"},
    }
    | {f"django.security.{error}": {"filters": ["asked_wrongly"]} for error in WRONGLY_ASKED},
}
