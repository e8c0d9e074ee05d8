"""What stands in the headers of a request breaks no page: types that no form has, codecs, cookies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections
from django.test import Client

from dashboard.plain_types import typed_plainly

pytestmark = pytest.mark.django_db
TYPES = [
    "text/plain; x*=nowhere''%41",
    "text/plain; charset*=utf-8''hex",
    "text/plain; charset*0*=utf-8''h; charset*1*=ex",
    *(
        f"text/plain; charset={codec}"
        for codec in ("hex", "rot13", "idna", "punycode", "undefined", "unicode_escape", "utf-7", "utf-16")
    ),
    'text/plain; charset="',
    "; charset=hex",
    ";" * 5_000,
]
ADDRESSES = ["/accounts/login/?next=%5Cud800", "/healthz?q=%5Cud800", "/nowhere/?q=%2B2AA-", "/jobs/?q=%ff"]
TOKEN = "a" * 32
FORM = f'--edge\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{TOKEN}\r\n--edge--\r\n'


@pytest.fixture(autouse=True)
def connection_stays() -> Iterator[None]:
    """Which a handler closes before and after a request; Django's own client of tests does the same."""
    for each in (signals.request_started, signals.request_finished):
        each.disconnect(close_old_connections)
    yield
    for each in (signals.request_started, signals.request_finished):
        each.connect(close_old_connections)


def asked(path: str, **environ: Any) -> str:
    """The status that a server is given; an exception is none."""
    address, _, query = path.partition("?")
    given: list[str] = []
    body = io.BytesIO(environ.pop("body", b""))
    answer = typed_plainly(WSGIHandler())(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "CONTENT_LENGTH": str(len(body.getvalue())),
        }
        | environ,
        lambda status, headers: given.append(status),
    )
    b"".join(answer)
    answer.close()
    return given[0][:3]


@pytest.mark.parametrize("declared", TYPES)
def test_no_type_of_a_body_breaks_a_page(declared):
    told = [asked(address, CONTENT_TYPE=declared) for address in ADDRESSES]
    assert told == [asked(address) for address in ADDRESSES] == ["200", "200", "404", "302"]


@pytest.mark.parametrize("parameters", ["; charset=hex", "; charset=idna", "; x*=nowhere''%41", ""])
def test_a_form_is_read_whatever_its_type_says_beside_its_boundary(parameters):
    """It is one by its token; without a boundary nobody can read it."""
    sent = {"REQUEST_METHOD": "POST", "HTTP_COOKIE": f"csrftoken={TOKEN}", "body": FORM.encode()}
    for declared, status in (
        (f"multipart/form-data; boundary=edge{parameters}", "200"),
        (f'multipart/form-data{parameters}; Boundary="edge"', "200"),
        (f"multipart/form-data{parameters}", "400"),
    ):
        assert asked("/accounts/login/", CONTENT_TYPE=declared, **sent) == status, declared


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "known", "messages", "theme", "other"])
@pytest.mark.parametrize("value", [r'"\000aaaaaaaaaaaaaaa"', r'"aaaaaaaa\000aaaaaaa"'])
def test_a_cookie_that_spells_out_a_nul_is_refused(name, value):
    """PostgreSQL looks for no such session; Python reads the octal digits of a cookie in quotes."""
    for path in ("/", "/accounts/login/", "/nowhere/"):
        assert Client().get(path, headers={"Cookie": f"{name}={value}"}).status_code == 400
