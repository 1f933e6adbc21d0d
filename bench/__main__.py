"""`python -m bench`: measure stackctl and its peers in one run, print the tables, write them into docs/benchmarks.md.

--rounds N     rounds of every measurement (default 10; the documentation is rewritten from 10 on)
--only NAME    one measurement, may be repeated; names: turnover losing replacing killing memory
               proving leader up starting endurance entry scaling size
--no-peers     stackctl alone
--write        into the documentation after fewer rounds too
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench.machine import load, machine
from bench.report import NAMES, tables
from bench.run_all import measure
from bench.running import Engine
from bench.table import write

RESULTS = Path(__file__).parent / "results"
ENOUGH = 10  # rounds that a published median needs


async def main(rounds: int, names: frozenset[str], *, peers: bool, always: bool) -> None:
    """Measure, tell, write; whatever was made is removed, also when interrupted."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel, f"told by {number.name}")
    engine = Engine()
    RESULTS.mkdir(exist_ok=True)
    about: dict[str, Any] = {
        "machine": await machine(engine),
        "rounds": rounds,
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    measured: dict[str, Any] = {}
    loads: list[float] = []

    def told(text: str) -> None:
        loads.append(os.getloadavg()[0])
        say(text)

    try:
        await measure(engine, measured, rounds, names, peers=peers, say=told)
    finally:
        engine.sweep()
        about["loads"] = loads
        for name, values in measured.items():
            (RESULTS / f"{name}.json").write_text(json.dumps({**about, name: values}, indent=2) + "\n")
    texts = tables(about, measured)
    for name, text in texts.items():
        print(f"\n{name}\n{text}")
    if (rounds >= ENOUGH or always) and peers:
        write(texts)
    else:
        say("docs/benchmarks.md stays as it is: it is written from 10 rounds on, and with peers")


def say(text: str) -> None:
    """Progress, on stderr, with the machine's load."""
    print(f"{time.strftime('%H:%M:%S')} (load {load()}) {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ENOUGH)
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    try:
        names = frozenset(given.only or NAMES)
        asyncio.run(main(given.rounds, names, peers=not given.no_peers, always=given.write))
    except asyncio.CancelledError as error:
        if not error.args:
            raise  # nobody interrupted: something is wrong
        say(f"{error.args[0]}; everything that was made is removed")
        sys.exit(130)
