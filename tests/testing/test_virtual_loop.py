"""A loop that does not wait."""

from __future__ import annotations

import asyncio
import time

from otlp_kit.testing.virtual_loop import run_virtual


def test_an_hour_takes_no_time() -> None:
    """Timers fire in their order, at their time."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            times.append(loop.time())

        await asyncio.gather(sleeper(3600), sleeper(1), sleeper(60))
        return times

    assert run_virtual(main()) == [1, 60, 3600]


def test_a_thread_is_waited_for() -> None:
    """With no timer set, the loop sleeps until the thread is done."""

    async def main() -> float:
        await asyncio.to_thread(time.sleep, 0.01)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0
