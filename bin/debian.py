"""Debian packages: installed where this is root, named where it is not."""

import os
import shutil
import subprocess
import sys


def install_packages(packages: list[str], reason: str) -> bool:
    """True when the packages are there now."""
    names = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"{reason} Please install: sudo apt-get install {names}", file=sys.stderr)
        return False
    print(f"{reason} Installing {names} …", file=sys.stderr, flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *command], env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode and command[0] == "install":
            print(done.stdout, file=sys.stderr)
            print(f"apt-get could not install {names}.", file=sys.stderr)
            return False
    return True
