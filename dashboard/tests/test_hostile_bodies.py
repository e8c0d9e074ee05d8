"""Bodies that nobody should read are refused before anything of them is: no byte, no file."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import pytest
from django.test import Client

from dashboard.edge import LARGEST_FORM

pytestmark = pytest.mark.django_db
MEGABYTE = 1024**2
COOKIE = "a" * 32


class Endless(io.RawIOBase):
    """What a client goes on to send for as long as somebody reads."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        size = 64 * 1024 if size < 0 else size
        self.taken += size
        assert self.taken < 400 * MEGABYTE
        return (b"--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n" + b"a" * size)[:size]


@pytest.fixture
def post(monkeypatch: Any) -> Any:
    """`post(client, "/", 300 * MEGABYTE)` is the status, and how many bytes of the body were read."""
    spooled: list[Any] = []
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda *args, **kwargs: spooled.append(args))

    def post(client: Client, path: str, length: str | int | None, **headers: str) -> tuple[int, int]:
        body = Endless()
        client.cookies["csrftoken"] = COOKIE
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "CONTENT_TYPE": "multipart/form-data; boundary=x",
            "wsgi.input": body,
            "HTTP_X_CSRFTOKEN": "b" * 32,
            **headers,
        }
        if length is not None:
            environ["CONTENT_LENGTH"] = str(length)
        status = client.request(**environ).status_code
        assert not spooled
        return status, body.taken

    return post


LONG = (300 * MEGABYTE, f"{300 * MEGABYTE:020}", f"+{300 * MEGABYTE}", "9" * 4000)


@pytest.mark.parametrize("path", ["/", "/imports/", "/accounts/login/", "/admin/", "/theme", "/readyz"])
def test_nothing_is_read_of_what_a_stranger_sends(post, path):
    for length in LONG:
        assert post(Client(enforce_csrf_checks=True), path, length) == (413, 0), length


@pytest.mark.parametrize("length", [None, "", "chunked", "-1", "0x1000000"])
def test_a_body_that_does_not_say_how_long_it_is_is_refused(post, length):
    for path in ("/", "/imports/", "/accounts/login/", "/admin/"):
        strict = Client(enforce_csrf_checks=True)
        assert post(strict, path, length, HTTP_TRANSFER_ENCODING="chunked") == (411, 0)


def test_a_form_is_read_up_to_its_limit_by_anyone(post):
    client = Client(enforce_csrf_checks=True)
    assert post(client, "/", LARGEST_FORM + 1) == (413, 0)
    assert post(client, "/", 1000)[0] == 403


def test_who_may_import_sends_no_more_than_the_limit(post, client, admin, viewer, settings):
    settings.HELIOX_UPLOAD_MB = 8
    client.force_login(viewer)
    assert post(client, "/imports/", 4 * MEGABYTE) == (413, 0)
    client.force_login(admin)
    assert post(client, "/imports/", 12 * MEGABYTE) == (413, 0)
