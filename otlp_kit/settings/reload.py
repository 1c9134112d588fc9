"""Settings that are read again while the program runs, and whoever wants to hear of it.

    reloader = Reloader(load, [Path("kit.toml"), Path("/run/secrets")], fixed=FIXED.get)
    reloader.settings["batch.delay"].value
    reloader.subscribe(lambda changes: print(changes.changed, changes.needs_restart))
    reloader.start()
    ...
    reloader.stop()

New settings are taken whole or not at all: what `load` refuses is logged and counted, and those
before stay. A reader of `settings` has the old ones or the new ones, never a mixture.

It decides nothing about a setting: `load` says what is valid, `fixed` what only a restart changes,
and a subscriber what to do. When to read is `watching.Watch`'s. Only what lies in files changes: the
environment of a process does not, and is in `load` as it was.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from weakref import WeakMethod

from otlp_kit.settings.config_files import Mistake
from otlp_kit.settings.layers import Mistakes, Settings
from otlp_kit.settings.watching import Look, Watch, look, mounted_files

log = logging.getLogger(__name__)


class Clock(Protocol):
    """How time passes: the system's clock, or one that a test turns by hand."""

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds have passed (False)."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(min(timeout, threading.TIMEOUT_MAX))


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference that a reload made."""

    before: Settings
    after: Settings
    changed: tuple[str, ...]
    """Names of the settings whose value is another one."""
    needs_restart: Mapping[str, str]
    """Of those, the ones that the running program goes on without, and why."""


@dataclass(frozen=True, slots=True)
class State:
    """What became of the reloads so far. The first reading is none."""

    reloads: int = 0
    """Readings whose settings were taken, with a difference or without."""
    refused: int = 0
    """Readings whose settings were not."""
    trouble: str = ""
    """Why the last reading was refused; empty if it was not."""
    mistakes: tuple[Mistake, ...] = ()
    """The same, one by one, where it was what the files say."""


def difference(before: Settings, after: Settings, fixed: Callable[[str], str | None]) -> Changes:
    """What `after` changes. `fixed` says why a setting cannot change while the program runs."""
    names = {**before, **after}
    changed = tuple(
        name
        for name in names
        if name not in before or name not in after or before[name].value != after[name].value
    )
    reasons = {name: reason for name in changed if (reason := fixed(name)) is not None}
    return Changes(before, after, changed, reasons)


class Reloader:
    """Loads settings now and whenever one of `paths`, files or directories, has changed.

    `load` returns them; whatever it raises the first time is the caller's. After that `Mistakes` and
    `OSError` are expected of it, and only their text is logged: it shows no secret. `fixed(name)` is
    why a setting needs a restart, or None. It looks every `interval` seconds, and reads when nothing
    has changed for `settle` seconds. Raises `ValueError` for times that cannot be kept.

    Thread-safe. In the child of a fork it goes on with a thread of its own.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        paths: Sequence[Path],
        *,
        fixed: Callable[[str], str | None],
        settle: float = 0.2,
        interval: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        if not settle >= 0:
            raise ValueError(f"settle must be at least 0 seconds, not {settle}")
        if not interval > 0:
            raise ValueError(f"interval must be more than 0 seconds, not {interval}")
        self._load, self._paths, self._fixed = load, tuple(paths), fixed
        self._interval = interval
        self._clock = clock or SystemClock()
        self._watch = Watch(
            look(self._paths), settle
        )  # before it is read: a change meanwhile counts
        self._first = self._settings = load()
        self._state = State()
        self._subscribers: list[Callable[[Changes], None]] = []
        self._thread: threading.Thread | None = None
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_call, WeakMethod(self._begin_anew)))

    def _begin(self) -> None:
        # Held while a change is read and told. A subscriber may call whatever it likes.
        self._lock = threading.RLock()
        self._stopping = threading.Event()

    @property
    def settings(self) -> Settings:
        """The current ones."""
        return self._settings

    @property
    def state(self) -> State:
        """What became of the reloads so far."""
        return self._state

    @property
    def needs_restart(self) -> Mapping[str, str]:
        """The settings that differ from those at the start and only a restart applies, and why."""
        return difference(self._first, self._settings, self._fixed).needs_restart

    def subscribe(self, function: Callable[[Changes], None]) -> Settings:
        """Call `function` after each change from now on; returns the settings before the first.

        It is called on the thread that looks. What it raises is logged, and neither stops the other
        subscribers nor takes the change back.
        """
        with self._lock:
            self._subscribers.append(function)
            return self._settings

    def start(self) -> None:
        """Look from now on, in a thread. Once it runs, another call does nothing."""
        with self._lock:
            if self._thread and self._thread.is_alive() and not self._stopping.is_set():
                return
            for warning in self.warnings():
                log.warning("%s", warning)
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="otlp-kit-reload", daemon=True
            )
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Look no more; returns when the thread has ended, or after `timeout` seconds."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread and thread is not threading.current_thread():
            thread.join(timeout)

    def check(self) -> float:
        """Look once, now, and reload if it is time; returns the seconds until it may be worth again."""
        with self._lock:
            found = look(self._paths)
            due = self._watch.due(found, self._clock.monotonic())
            if due == 0:
                self._reload(found)
            return min(due or self._interval, self._interval)

    def warnings(self) -> tuple[str, ...]:
        """The watched files whose changes may never be seen here, and what to do."""
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return ()  # not Linux: nobody can tell
        return tuple(
            f"{file} is mounted by itself, so a new file in its place is never seen here: "
            "mount its directory (in Kubernetes without subPath)"
            for file in mounted_files(look(self._paths), mountinfo)
        )

    def __repr__(self) -> str:
        state = self._state
        trouble = f" | refused now: {state.trouble.splitlines()[0]}" if state.trouble else ""
        return (
            f"<Reloader [{len(self._paths)} paths | reloads {state.reloads}, "
            f"refused {state.refused}{trouble}]>"
        )

    def _run(self, stopping: threading.Event) -> None:
        wait = self._interval
        while not self._clock.wait(stopping, wait):
            wait = self._interval
            try:
                wait = self.check()
            except Exception:
                log.exception("cannot look for changed settings")

    def _reload(self, found: Look) -> None:
        """Read what `found` shows. The lock is held."""
        settings: Settings | None = None
        trouble, again = "", False
        mistakes: tuple[Mistake, ...] = ()
        try:
            settings = self._load()
        except Mistakes as error:
            trouble, mistakes = str(error), error.mistakes
        except OSError as error:
            trouble, again = str(error), True  # the file may be well, so it is tried again
        except Exception as error:
            # Nobody promised that there is no secret in its text.
            trouble = f"loading raised {type(error).__name__}"
        if look(self._paths) != found:
            return  # it changed while it was read: this may be half of the one and half of the other
        if not again:
            self._watch.was_read(found)
        if settings is None:
            self._refuse(trouble, mistakes, again)
        else:
            self._take(settings)

    def _refuse(self, trouble: str, mistakes: tuple[Mistake, ...], again: bool) -> None:
        known = trouble == self._state.trouble
        if not known:
            log.warning("settings not reloaded, those before stay: %s", trouble)
        refused = self._state.refused + (not (known and again))
        self._state = State(self._state.reloads, refused, trouble, mistakes)

    def _take(self, settings: Settings) -> None:
        changes = difference(self._settings, settings, self._fixed)
        self._settings = settings
        self._state = State(self._state.reloads + 1, self._state.refused)
        log.info("settings reloaded; changed: %s", ", ".join(changes.changed) or "nothing")
        for name, reason in changes.needs_restart.items():
            log.warning("%s has changed and needs a restart: %s", name, reason)
        for tell in tuple(self._subscribers) if changes.changed else ():
            try:
                tell(changes)
            except Exception:
                log.exception("a subscriber failed to apply changed settings")

    def _begin_anew(self) -> None:
        """In the child of a fork: there is no thread, and the lock may be held by one of the parent."""
        runs = self._thread is not None and not self._stopping.is_set()
        self._thread = None
        self._begin()
        if runs:
            self.start()


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method of what may be gone by now."""
    if alive := method():
        alive()
