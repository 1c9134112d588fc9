"""The checker for the exercise on endpoints: the page *howto/endpoint*.

    urls({"slash": "http://gw:4318/v1/traces", ...})        where does each of `CASES` post to?

What is right comes from `settings/otlp_exporter`, which exporters read their endpoint with. As in
`exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from otlp_kit.lab.exercises import Verdict
from otlp_kit.settings.otlp_exporter import GRPC, HTTP_PROTOBUF, exporter_settings
from otlp_kit.wire import LOGS, TRACES, Signal

ALL = "OTEL_EXPORTER_OTLP_ENDPOINT"
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@dataclass(frozen=True, slots=True)
class _Case:
    hint: str
    environ: Mapping[str, str] = field(default_factory=dict)
    signal: Signal = TRACES
    protocol: str = HTTP_PROTOBUF
    argument: str | None = None

    def text(self) -> str:
        said = [f"{name}={value}" for name, value in self.environ.items()]
        if self.argument:
            said.append(f"the argument endpoint={self.argument!r}")
        return f"{self.signal.name} over {self.protocol}: {' and '.join(said)}"

    def url(self) -> str:
        return exporter_settings(
            self.signal, self.protocol, endpoint=self.argument, environ=self.environ
        ).endpoint


_CASES = {
    "slash": _Case("A slash at the end of a base is not doubled.", {ALL: "http://gw:4318/otlp/"}),
    "signal": _Case(
        "Only to a base is something added. And what is the path of a URL without one?",
        {OF_TRACES: "https://gw:4318"},
    ),
    "logs": _Case(
        "A variable of another signal says nothing. Each signal has its own path.",
        {ALL: "http://gw:4318", OF_TRACES: "http://other:4318/v1/traces"},
        signal=LOGS,
    ),
    "argument": _Case(
        "Code goes before the environment, and its URL is used as it is.",
        {ALL: "http://gw:4318"},
        argument="http://code:4318/in",
    ),
    "grpc": _Case(
        "A method of gRPC has a name instead of a path.",
        {ALL: "http://gw:4317/"},
        protocol=GRPC,
    ),
}
CASES = {name: case.text() for name, case in _CASES.items()}
"""What is set, for each of five exporters."""


def urls(guesses: Mapping[str, str]) -> Verdict:
    """Where each of `CASES` sends to: the whole URL; over gRPC the scheme, the host and the port."""
    if missing := [name for name in _CASES if name not in guesses]:
        return _not_yet(f"{missing[0]}: no URL.", f"One for each of {', '.join(_CASES)}.")
    for name, case in _CASES.items():
        guess, right = guesses[name], case.url()
        if case.protocol == GRPC:
            right = right.rstrip("/")
        if guess != right:
            return _not_yet(f"{name}: {_difference(guess, right)}", case.hint)
    return Verdict(passed=True)


def _difference(guess: object, right: str) -> str:
    """The first part, from the left, that is not as it should be."""
    if not isinstance(guess, str) or "://" not in guess:
        return f"{guess!r} is not a whole URL."
    (scheme, _, rest), (right_scheme, _, right_rest) = (
        guess.partition("://"),
        right.partition("://"),
    )
    (host, _, path), (right_host, _, right_path) = rest.partition("/"), right_rest.partition("/")
    if scheme != right_scheme:
        return f"{scheme} is not what it says."
    if host != right_host:
        return f"nothing is sent to {host}."
    if path and path.rstrip("/") == right_path.rstrip("/"):
        return "a slash at the end makes another path."
    if "//" in path:
        return "two slashes in a row are another path."
    if "/" in rest and "/" not in right_rest:
        return f"there is no path such as /{path}."
    return f"/{path} is not the path." if path else "the path is missing, or not the right one."


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
