"""`otlp-kit up`: the main job. Receiver, page, site and Lab, together, until Ctrl-C.

Everything listens on loopback. The receiver and the page run in this process; the built site is
served from a thread; JupyterLab is a child process that ends with this one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from otlp_kit.cli.cmd_demo import shop_class
from otlp_kit.cli.lab_process import LabProcess
from otlp_kit.cli.settings_options import add_settings, settings_of
from otlp_kit.cli.settings_reload import reloading
from otlp_kit.cli.site_server import SiteServer
from otlp_kit.cli.station import Station, listen, open_station, run_until_stopped
from otlp_kit.settings.schema import model

CHECKOUT = Path(__file__).resolve().parents[2]
SITE = CHECKOUT / "build/site"
NOTEBOOKS = CHECKOUT / "notebooks"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("up", help="start receiver, page, site and Lab")
    add_settings(parser, "http", "grpc", "ui", "data", "keep", "max-size", "site", "lab")
    parser.add_argument(
        "--demo",
        dest="demo.enabled",
        action="store_true",
        default=argparse.SUPPRESS,
        help="also run a small shop that makes telemetry",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = model(settings_of(arguments))
    ended = threading.Event()
    with ExitStack() as opened:
        station = opened.enter_context(open_station(settings))
        rows = [
            ("receiver", station.addresses["http"], "OTLP/HTTP: traces, logs and metrics"),
            ("", station.addresses["grpc"], "OTLP/gRPC: the same"),
            ("page", station.addresses["ui"], "the latest traces, live"),
        ]
        # Both ports are bound before either server starts: nothing is ever half started.
        site_socket = opened.enter_context(listen(settings.site.address, "--site"))
        lab_socket = opened.enter_context(listen(settings.lab.address, "--lab"))
        left_out = []
        if (SITE / "index.html").is_file():
            site = opened.enter_context(SiteServer(SITE, site_socket))
            rows.append(("site", site.url, "how it works, with code that ran"))
        else:
            left_out.append("site: not built (in a checkout, `make docs` builds it)")
        lab: LabProcess | None = None
        if NOTEBOOKS.is_dir() and LabProcess.installed():
            lab = opened.enter_context(LabProcess(NOTEBOOKS, lab_socket, station.addresses))
            rows.append(("lab", lab.url, "notebooks: predict, break, measure"))
        else:
            left_out.append("lab: needs the notebooks of a checkout and the extra `lab`")
        if settings.demo.enabled:
            shop_class()  # stops here if it cannot run
        days, gigabytes = settings.store.keep / 86_400, settings.store.max_size / 1e9
        kept = f"the latest {days:g} days of it, at most {gigabytes:g} GB (--keep, --max-size)"
        opened.enter_context(reloading(arguments, station))
        print(_welcome(rows, left_out, station, kept), flush=True)

        async def main(stop: asyncio.Event) -> None:
            beside = [asyncio.create_task(_status_line(station, lab))]
            if settings.demo.enabled:
                demo = asyncio.to_thread(_run_shop, station, ended)
                beside.append(asyncio.create_task(demo))
            await station.run(stop)
            ended.set()
            beside[0].cancel()
            await asyncio.gather(*beside, return_exceptions=True)

        run_until_stopped(main)
        print(f"\nStopping. {station.service.ledger.totals()}", flush=True)
    print(f"Your data stays in {station.data}", flush=True)
    return 0


def _run_shop(station: Station, ended: threading.Event) -> None:
    """The demo, until `ended`: two orders a second."""
    with shop_class()(station.addresses["http"], station.addresses["grpc"]) as shop:
        while not ended.wait(0.5):
            shop.order()


def _welcome(
    rows: list[tuple[str, str, str]], left_out: list[str], station: Station, kept: str
) -> str:
    width = max(len(link) for _, link, _ in rows)
    lines = ["", *(f"  {name:9} {link:{width}}  {what}" for name, link, what in rows)]
    lines += [f"  left out  {what}" for what in left_out]
    lines += [
        "",
        f"  data      {station.data}",
        f"            {kept}",
        "",
        "Try first, in another terminal: any program that uses an official OpenTelemetry SDK, with",
        f"  OTEL_EXPORTER_OTLP_ENDPOINT={station.addresses['http']}",
        "then look at the page, or run `otlp-kit traces`. Ctrl-C stops everything.",
    ]
    if station.store.trouble:
        lines.append(f"Warning: nothing can be stored: {station.store.trouble}")
    return "\n".join([*lines, ""])


async def _status_line(station: Station, lab: LabProcess | None) -> None:
    """One line, rewritten every second on a terminal; a log that grows helps nobody elsewhere."""
    while sys.stdout.isatty():
        parts = [str(station.service.ledger.totals())]
        if station.service.trouble:
            parts.append(f"cannot store: {station.service.trouble}")
        if lab and lab.ended:
            parts.append("the Lab has ended")
        print(f"\r\x1b[2K{' | '.join(parts)}", end="", flush=True)
        await asyncio.sleep(1)
