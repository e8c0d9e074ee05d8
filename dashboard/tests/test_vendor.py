"""What is vendored is what its manifest says, and nothing of it, or of ours, reaches elsewhere."""

import hashlib
import json
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
VENDOR = PROJECT / "static" / "vendor"
PACKAGES = json.loads((VENDOR / "manifest.json").read_text())["packages"]
HASHES = {name: sha256 for package in PACKAGES for name, sha256 in package["files"].items()}
TEMPLATES = sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "templates").rglob("*.html"))


@pytest.mark.parametrize("name", HASHES)
def test_a_vendored_file_is_unchanged(name):
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == HASHES[name]


def test_every_vendored_file_stands_in_the_manifest():
    found = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert found - {"manifest.json"} == set(HASHES)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_a_package_says_its_version_and_brings_its_licence(package):
    folder = f"{package['name']}-{package['version']}/"
    assert all(name.startswith(folder) for name in package["files"])
    assert any(Path(name).name.startswith("LICENSE") for name in package["files"])
    assert package["licence"]


def test_no_static_file_points_to_a_source_map_or_is_huge():
    files = [path for path in (PROJECT / "static").rglob("*") if path.suffix in {".js", ".css"}]
    assert files
    for path in files:
        assert "sourceMappingURL" not in path.read_text()
        assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_no_inline_script_or_style(name):
    text = (PROJECT / name).read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:|https?://[^\"'\s]*\.(js|css)", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
