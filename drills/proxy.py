"""nginx with the configuration that docs/operations.md shows, before a server of the drill's own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dashboard.tests.conftest import PROJECT

from .serving import HOST, free_port, seconds_until

DOCUMENTED = re.compile(r"^    # /etc/nginx/conf\.d/heliox\.conf\n((?:    .*\n|\n)+)", re.MULTILINE)
AROUND = """
daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes auto;
events {{ worker_connections 1024; }}
http {{ access_log off;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{site} }}
"""


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def nginx(server: int) -> Iterator[int]:
    """Its port, on which it speaks TLS."""
    port = free_port()
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        make_certificate(folder)
        (folder / "conf").write_text(AROUND.format(folder=folder, site=site(folder, port, server)))
        command = [str(program()), "-p", name, "-c", str(folder / "conf"), "-e", str(folder / "errors")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            seconds_until(lambda: (folder / "pid").exists() or process.poll() is not None, 10)
            assert process.poll() is None, (folder / "errors").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)


def site(folder: Path, port: int, server: int) -> str:
    """As documented, but for the ports, the name and the certificate."""
    found = DOCUMENTED.search((PROJECT / "docs" / "operations.md").read_text())
    assert found, "docs/operations.md shows no configuration of nginx"
    text = found[1]
    for documented, here in {
        "listen 443 ssl": f"listen {HOST}:{port} ssl",
        "listen 80;": f"listen {HOST}:{free_port()};",
        "127.0.0.1:8000": f"{HOST}:{server}",
        "heliox.example.com": HOST,
        "/etc/ssl/heliox": str(folder / "heliox"),
    }.items():
        assert documented in text, documented
        text = text.replace(documented, here)
    return text


def make_certificate(folder: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={HOST}",
    ]
    command += [
        "-subj",
        f"/CN={HOST}",
        "-keyout",
        str(folder / "heliox.key"),
        "-out",
        str(folder / "heliox.crt"),
    ]
    subprocess.run(command, check=True, capture_output=True)
