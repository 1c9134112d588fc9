"""The environment of this process: read here, and nowhere else in the kit.

    settings = load_settings(environ=environment(), ...)
    subprocess.Popen(command, env=environment_of_child(JUPYTER_TOKEN=token))

What reads no settings gets what it needs as an argument. A copy is handed out: whoever changes it
changes nothing for others.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from otlp_kit.settings.otlp_rules import base_url

log = logging.getLogger(__name__)


def environment() -> dict[str, str]:
    """The variables as they are now."""
    return dict(os.environ)


def environment_of_child(**more: str) -> dict[str, str]:
    """What a child process is to find: the variables as they are now, and `more`."""
    return {**os.environ, **more}


def user_data_directory(environ: Mapping[str, str]) -> Path:
    """Where this system keeps what programs store for a user, in a folder of the kit's own."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library/Application Support/otlp-kit"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData/Local") / "otlp-kit"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "otlp-kit"


def proxy_for(url: str) -> str | None:
    """The URL of the proxy that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` want for `url`.

    One that cannot be used is one warning, and none.
    """
    parts, proxies = urlsplit(url), getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or proxy_bypass(parts.hostname or ""):
        return None
    try:
        return base_url("")(found if "://" in found else f"http://{found}")
    except ValueError as broken:
        log.warning("the proxy for %s in the environment is ignored, it %s", parts.scheme, broken)
        return None
