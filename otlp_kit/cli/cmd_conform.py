"""`otlp-kit conform exporter MODULE:FACTORY`: hold an exporter to the client's side of OTLP.

The factory is called with the URL of a hostile server, and the exporter it returns is tried at every
line of the specification that can be seen from outside: `testing/check_exporter` says how. The exit
status is 0 if all hold, 1 if one does not, 2 if there is nothing to check.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from otlp_kit.cli.conform_exporters import NAMED
from otlp_kit.cli.options import Stop
from otlp_kit.testing.check_exporter import TRANSPORTS, Report, Transport, check_exporter
from otlp_kit.testing.exporter_subject import takes_deadline
from otlp_kit.views.plain_text import plain_text

NOWHERE = "http://127.0.0.1:9"
"""Where the first exporter is made to send, and does not: it is only looked at."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "conform",
        help="hold an exporter to the specification, line by line",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["exporter"], help="what it is")
    parser.add_argument(
        "factory",
        metavar="MODULE:FACTORY",
        help=f"called with a base URL, returns an exporter; or one of {', '.join(NAMED)}",
    )
    parser.add_argument(
        "--transport", choices=TRANSPORTS, help="what it speaks (default: http/protobuf)"
    )
    parser.add_argument("--must", action="store_true", help="only what the specification demands")
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    make, transport = load(arguments.factory)
    transport = arguments.transport or transport
    # What an exporter logs of its troubles, which are made for it, would tear the table apart.
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        report = check_exporter(
            make,
            cast(Transport, transport),
            records=_records(make, arguments.factory),
            levels=("MUST",) if arguments.must else ("MUST", "SHOULD"),
        )
    except ModuleNotFoundError as error:
        raise Stop(f"{transport} needs the package {error.name}") from None
    finally:
        logging.disable(logging.NOTSET)
    print(json.dumps(as_json(arguments.factory, report), indent=2) if arguments.json else report)
    return 1 if report.failed else 0


def load(name: str) -> tuple[Callable[..., Any], str]:
    """The factory of that name, and the transport that goes with it. Raises `Stop`."""
    try:
        if name in NAMED:
            return NAMED[name].factory(), NAMED[name].transport
        module, colon, attribute = name.partition(":")
        if not (module and colon and attribute):
            raise Stop(f"{name!r} is not MODULE:FACTORY, and none of {', '.join(NAMED)}")
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        make = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise Stop(f"cannot load {name}: there is no module {error.name}") from None
    except AttributeError as error:
        raise Stop(f"cannot load {name}: {error}") from None
    except Stop:
        raise
    except Exception as error:  # whatever that module does when it is imported
        raise Stop(f"cannot load {name}: {_line(error)}") from None
    if not callable(make):
        raise Stop(f"cannot load {name}: it is not a function that returns an exporter")
    return make, "http/protobuf"


def _records(make: Callable[..., Any], name: str) -> Any:
    """What makes the spans to send: of the SDK for an official exporter, else the kit's own."""
    try:
        exporter = make(NOWHERE)
        of_the_kit = takes_deadline(exporter)
        exporter.shutdown()
    except Exception as error:  # whatever a stranger's factory does
        raise Stop(f"{name} does not make an exporter: {_line(error)}") from None
    if of_the_kit or hasattr(make, "records"):
        return None
    from otlp_kit.adapters.sdk_conformance import official_spans

    return official_spans


def _line(error: Exception) -> str:
    return plain_text(" ".join(f"{type(error).__name__}: {error}".split()))


def as_json(name: str, report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "exporter": name,
        "transport": report.transport,
        "lines": [
            {
                "line": one.line.number,
                "level": one.line.level,
                "text": one.line.text,
                "verdict": one.verdict,
                "seen": one.seen,
            }
            for one in report.results
        ],
    }
