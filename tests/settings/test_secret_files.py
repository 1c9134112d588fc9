"""Secrets that are not shown, and the files that they come from."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from otlp_kit.settings import secret_files
from otlp_kit.settings.secret_files import MAX_SECRET, Secret, read_secret

posix = pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")


def test_a_secret_prints_as_stars(caplog: pytest.LogCaptureFixture) -> None:
    """In every way in which a value gets into a text by accident."""
    secret = Secret("hunter2")
    logging.getLogger().warning("%s %r", secret, [secret])
    try:
        raise ValueError(secret)
    except ValueError:
        trace = traceback.format_exc()
    shown = f"{secret} {secret!r} {secret:>9} { ({'a': secret}) } {caplog.text} {trace}"
    assert "hunter2" not in shown
    assert shown.count("***") == 7


def test_a_secret_is_had_by_asking() -> None:
    """And compares with another one, but is no key and is not equal to its text."""
    assert Secret("a").reveal() == "a"
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    with pytest.raises(TypeError):
        hash(Secret("a"))


def test_a_secret_is_copied_but_not_pickled() -> None:
    """So settings can be copied, and no queue or cache writes it down."""
    secret = Secret("a")
    assert copy.deepcopy([secret]) == [copy.copy(secret)]
    with pytest.raises(TypeError, match="hand over the name of its file"):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("body", "secret"), [(b"a b\n", "a b"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a", " a")]
)
def test_one_newline_at_the_end_is_not_of_the_secret(
    tmp_path: Path, body: bytes, secret: str
) -> None:
    """Editors add one; everything else is the secret's."""
    file = tmp_path / "token"
    file.write_bytes(body)
    assert read_secret(file) == secret


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "is empty: write the secret into it"),
        (b"\n", "is empty"),
        (b"hunter2\xff", "must be text in UTF-8: encode what is binary as base64"),
        (b"hunter2\0", "must be text in UTF-8"),
        (b"hunter2" * MAX_SECRET, "name the file of the secret itself"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(
    tmp_path: Path, body: bytes, rule: str
) -> None:
    """The error says what to do."""
    file = tmp_path / "token"
    file.write_bytes(body)
    with pytest.raises(ValueError, match=rule) as caught:
        read_secret(file)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@posix
def test_a_file_that_everyone_may_write_is_refused(tmp_path: Path) -> None:
    """Whoever writes it would choose the secret."""
    file = tmp_path / "token"
    file.write_text("hunter2")
    file.chmod(0o646)
    with pytest.raises(ValueError, match="chmod o-w it, and renew the secret"):
        read_secret(file)
    file.chmod(0o644)
    assert read_secret(file) == "hunter2"


@posix
def test_a_file_that_may_not_be_read_says_for_whom(tmp_path: Path) -> None:
    """The user is named, since in a container it is rarely the expected one."""
    file = tmp_path / "token"
    file.write_text("hunter2")
    file.chmod(0)
    if os.geteuid():
        with pytest.raises(ValueError, match=f"may not be read by user {os.geteuid()}: chown"):
            read_secret(file)
        return
    # Root may read everything, so another user tries, in a process of its own.
    child = os.fork()
    if not child:
        try:
            tmp_path.parent.parent.chmod(0o711)
            tmp_path.parent.chmod(0o711)
            tmp_path.chmod(0o711)
            os.setuid(65534)
            read_secret(file)
        except ValueError as error:
            os._exit(0 if "may not be read by user 65534: chown" in str(error) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@posix
def test_only_a_file_is_read(tmp_path: Path) -> None:
    """A pipe would wait for its writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="must name a file"):
        read_secret(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match=r"cannot be read .*: mount it, or name another file"):
            read_secret(path)


def test_a_kubernetes_directory_holds_one_secret_in_each_file(tmp_path: Path) -> None:
    """Which are links through `..data` to a directory that is named by its time."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/token").write_text("hunter2")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "token").symlink_to("..data/token")
    found = secret_files.secret_files(tmp_path)
    assert found == {"token": tmp_path / "token"}
    assert read_secret(found["token"]) == "hunter2"


def test_a_directory_that_is_not_mounted_has_no_secrets(tmp_path: Path) -> None:
    """Outside a container there is none; a file in its place is a mistake."""
    assert secret_files.secret_files(tmp_path / "none") == {}
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="name a readable directory"):
        secret_files.secret_files(tmp_path / "file")
