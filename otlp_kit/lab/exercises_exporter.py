"""The checker for the exercise on exporters: notebook 13, *howto/write-exporter*.

    exporter_suite(MyExporter)      does it keep what matters most of the client's side of OTLP?

`MyExporter(endpoint)` makes an exporter with `export(batch, deadline)` and `shutdown()`. It is tried
by `testing/check_exporter`, against servers of this process: every MUST that can be seen without
further settings, and the five SHOULDs without which records are lost and nobody knows. The quick
lines come first, and what fails ends it, so that a wrong exporter is told within seconds.
"""

from __future__ import annotations

from otlp_kit.lab.exercises import Verdict
from otlp_kit.testing.check_exporter import check_exporter
from otlp_kit.testing.exporter_subject import Make

# The order is that in which one would mend them. A line of OTLP, and what to think of.
_STAGES: tuple[dict[int, str], ...] = (
    {
        5: "The base URL, then the path of the signal. TRACES.http_path has it.",
        91: "An endpoint may end in a slash, and two of them in a row are another path.",
        58: "The server decodes what the content type says.",
        65: "`export` has three ends: it returns Accepted, or raises Refused or Unavailable.",
        56: "Some clients follow a redirect with a GET, and the body stays behind.",
        49: "What is wrong with these bytes will be wrong with them again.",
        48: "Four statuses of HTTP may be tried again: answers.RETRYABLE.",
        57: "Everything from 200 to 299 is a success.",
        60: "A proxy answers in HTML. A body says something only if its type is one of OTLP.",
        27: "What the server rejected it has seen. It would get the others twice.",
        29: "The count is in the body of a success. read_http_answer reads it.",
    },
    {
        47: "It is Unavailable: send the same bytes once more, after a pause.",
        45: "The status of HTTP is all that counts; a code in the body is for people.",
        54: "A connection that breaks has refused nothing. Which exceptions does yours raise?",
        19: "read(n + 1) tells whether there is more than n.",
    },
    {
        51: "Unavailable.retry_after is what was asked for, and Backoff.wait takes it.",
        98: "The timeout of a socket begins anew with each byte. Who looks at the clock?",
    },
    {
        101: "Backoff grows from one failure to the next, and by chance: which failure is this?",
    },
)  # fmt: skip
LINES = frozenset().union(*_STAGES)
"""Numbers of the lines of OTLP that are tried."""


def exporter_suite(make: Make) -> Verdict:
    """Whether the exporters that `make(endpoint)` returns keep each of `LINES`.

    A right one takes some fifteen seconds, of which most is waiting.
    """
    kept = 0
    for hints in _STAGES:
        try:
            report = check_exporter(make, lines=hints)
        except Exception as error:  # whatever a reader's code does
            said = f"{type(error).__name__}: {error}"
            return _not_yet(
                f"{make!r} does not make an exporter: {said}.",
                "It is called with a URL. What it returns has export(batch, deadline), shutdown().",
            )
        failed = {one.line.number: one for one in report.failed}
        if first := next((number for number in hints if number in failed), None):
            line = failed[first].line
            kept += len(report.results) - len(failed)
            return _not_yet(
                f"line {first}, {line.text}: {failed[first].seen}"
                f" ({kept} of {len(LINES)} lines are kept so far).",
                hints[first],
            )
        kept += len(report.results)
    return Verdict(passed=True)


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
