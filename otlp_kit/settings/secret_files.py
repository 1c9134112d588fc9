"""Secrets: a value that is never shown, and the files that Docker and Kubernetes keep them in.

    token = Secret("s3cr3t")
    print(token)                                # ***
    send(token.reveal())

    read_secret("/run/secrets/token")           # the text, without the newline at its end
    secret_files("/run/secrets")                # {"token": Path("/run/secrets/token")}

A secret protects from logs, reprs and tracebacks, not from code in the same process: it is no
encryption, and memory is not wiped.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

MAX_SECRET = 64 * 1024
"""Bytes. A key or a token is smaller; a larger file is a wrong path."""


class Secret(Generic[T]):
    """Holds a value that prints as stars. `reveal()` is the only way to it; it is never pickled."""

    __slots__ = ("__value",)

    def __init__(self, value: T) -> None:
        self.__value = value

    def reveal(self) -> T:
        """The value itself: for the line that needs it, and no variable longer than that."""
        return self.__value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.__value == other.__value)

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: Any) -> Secret[T]:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: hand over the name of its file instead")


def read_secret(path: str | os.PathLike[str]) -> str:
    """The text of a secret file of at most `MAX_SECRET` bytes, without one newline at its end.

    Raises `ValueError` that says what to do: for a file that cannot be read, that everyone may write
    (whoever does chooses the secret), that is no text, or that is empty.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ValueError("must name a file, not a directory, a pipe or a device")
            if os.name == "posix" and about.st_mode & stat.S_IWOTH:
                raise ValueError("may be written by every user: chmod o-w it, and renew the secret")
            body = file.read(MAX_SECRET + 1)
    except PermissionError:
        raise ValueError(
            f"may not be read by user {_user()}: chown it to that user, or start as its owner"
        ) from None
    except (OSError, TypeError) as error:
        why = getattr(error, "strerror", None) or "no path"
        raise ValueError(f"cannot be read ({why}): mount it, or name another file") from None
    if len(body) > MAX_SECRET:
        raise ValueError(f"holds more than {MAX_SECRET} bytes: name the file of the secret itself")
    try:
        text = body.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("must be text in UTF-8: encode what is binary as base64")
    if not text:
        raise ValueError("is empty: write the secret into it")
    return text


def secret_files(directory: str | os.PathLike[str]) -> dict[str, Path]:
    """The files of a mounted `directory` by name, as Docker and Kubernetes mount one secret in each.

    What begins with a dot is left out: Kubernetes keeps its own links there. A directory that does
    not exist has none. Raises `ValueError` for one that cannot be listed.
    """
    try:
        files = sorted(Path(directory).iterdir())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(
            f"cannot be listed ({error.strerror}): name a readable directory"
        ) from None
    return {file.name: file for file in files if not file.name.startswith(".")}


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "that runs this"


def _open(path: str, flags: int) -> int:
    # A pipe without a writer would otherwise hold this up forever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
