"""A program with a pipeline that was told a secret, and that then shows everything it can show.

It takes the options of every command for settings. The server takes its first span and refuses the
second one. It prints every object it holds, logs all that is logged, fails in a thread, fails as a
whole, dumps all its threads, and ends with SIGABRT.
"""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import logging
import os
import threading
import traceback
from time import monotonic

from otlp_kit.cli.settings_options import add_settings, settings_of
from otlp_kit.model import Span
from otlp_kit.pipeline import sender_of, span_pipeline_of
from otlp_kit.processors.outcome import Outcome
from otlp_kit.settings.schema import model
from otlp_kit.settings.schema_rules import exporter_settings_of
from otlp_kit.wire import PROTOBUF, TRACES, Payload

logging.basicConfig(level=logging.DEBUG)
faulthandler.enable(all_threads=True)


def end() -> None:
    faulthandler.dump_traceback(all_threads=True)
    os.abort()


def fail() -> None:
    raise RuntimeError(f"in a thread: {settings} {typed} {pipeline}")


parser = argparse.ArgumentParser()
add_settings(parser)
arguments = parser.parse_args()
settings = settings_of(arguments)
typed = model(settings)
wanted = exporter_settings_of(settings, TRACES)
sender = sender_of(wanted)
pipeline = span_pipeline_of(settings)

pipeline.emit(Span("taken", os.urandom(16), os.urandom(8)))
assert pipeline.force_flush() is Outcome.FLUSHED
pipeline.emit(Span("refused", os.urandom(16), os.urandom(8)))
print("flushed", pipeline.force_flush())
try:
    sender.send(Payload(TRACES, b"", 1, PROTOBUF), monotonic() + 10)
except Exception:
    traceback.print_exc()

for each in (settings, typed, typed.exporter, typed.exporter.headers, wanted, sender, pipeline):
    print(repr(each), f"{each}", [each])
    logging.info("%s %r", each, each)
print(dict(settings), vars(typed), typed.model_dump(), typed.model_dump_json(), pipeline.totals())
print(settings.explain("exporter.headers"))

thread = threading.Thread(target=fail)
thread.start()
thread.join()
atexit.register(end)
raise RuntimeError(f"as a whole: {settings} {typed} {wanted} {sender} {pipeline}")
