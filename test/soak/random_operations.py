# SPDX-License-Identifier: Apache-2.0
"""`make soak`: random operations from eight threads and an asyncio loop on the simulator.

Passes when nothing hung, every future ended with a right result or a documented exception, and
memory, tasks, models, descriptors and threads are what they were before. The same seed chooses
the same operations; how the threads meet differs from run to run.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hbm_runtime import HB_HBMRuntime
from hbm_runtime._loading import library
from soak.expectations import KINDS, Numbers, save_models
from soak.loop_worker import LoopWorker
from soak.process_state import held, held_once_settled, resident_kib, use_one_arena
from soak.record import Record
from soak.worker import Shared, Worker

THREADS = 8
PHASES = 20
WARM_UP_PHASES = 8
MOST_GROWTH = 0.01  # of the resident memory after warm-up
MOST_DISTURBED = 200
MAX_IN_FLIGHT = 32  # few enough that callers meet the limit


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is told")
    parser.add_argument("--deadline", type=float, default=1800, metavar="S")
    parser.add_argument(
        "--no-memory-check", action="store_true", help="for short runs, that only warm up"
    )
    arguments = parser.parse_args()
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    say(f"soak: seed {seed}, {arguments.operations} operations")
    faulthandler.dump_traceback_later(arguments.deadline, exit=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        problems = soak(Path(folder), seed, arguments.operations, not arguments.no_memory_check)
    faulthandler.cancel_dump_traceback_later()
    for problem in problems:
        say(f"soak: PROBLEM: {problem}")
    verdict = f"{len(problems)} problems" if problems else "all is well"
    say(f"soak: {verdict} after {time.monotonic() - start:.0f} s (seed {seed})")
    return 1 if problems else 0


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def soak(folder: Path, seed: int, operations: int, check_memory: bool) -> list[str]:
    """Runs all and returns what went wrong."""
    if check_memory:
        use_one_arena()
    model_file, extra_file = save_models(folder)
    numbers, record = Numbers(), Record()
    with HB_HBMRuntime(model_file) as rt:  # starts the simulator's threads, loads the engine
        for kind in KINDS:
            rt.run_many([kind.make_inputs(1)] * 16, kind.name)
    before = held()
    disturb_some_runs(seed, operations)
    resident: list[int] = []
    with HB_HBMRuntime(model_file, max_in_flight=MAX_IN_FLIGHT) as rt:
        shared = Shared(rt, model_file, extra_file, numbers, record)
        workers = [Worker(shared, f"{seed} {index}") for index in range(THREADS)]
        works = [*(worker.work for worker in workers), LoopWorker(shared, f"{seed} loop").work]
        for phase in range(PHASES):
            side_by_side(works, max(1, operations // PHASES // len(works)), f"soak{phase}", record)
            resident.append(resident_kib())
        del shared, workers, works
    disturb_some_runs(seed, 0)
    after = held_once_settled(before)

    problems = list(record.violations)
    if after != before:
        problems.append(f"held before: {before}; after: {after}")
    if check_memory:
        problems += growth(resident)
    say(f"soak: operations: {dict(record.operations.most_common())}")
    say(f"soak: outcomes: {dict(record.outcomes.most_common())}")
    say(f"soak: resident KiB after each phase: {resident}")
    say(f"soak: held: {after}")
    return problems


def side_by_side(works: list[Callable[[int], None]], count: int, name: str, record: Record) -> None:
    """Runs all in threads of their own and waits for them."""

    def guarded(work: Callable[[int], None]) -> None:
        try:
            work(count)
        except BaseException as error:
            record.violation(f"{name}: {type(error).__name__}: {error}")
            raise

    threads = [
        threading.Thread(target=guarded, args=(work,), name=f"{name}.{index}")
        for index, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def disturb_some_runs(seed: int, operations: int) -> None:
    """Lets some runs from now on come late or fail on the simulator; none for 0 operations."""
    chosen = random.Random(f"{seed} disturbed")
    count = min(MOST_DISTURBED, operations // 50)
    rules = ";".join(
        f"run@{run}="
        + (f"delay:{chosen.randint(1, 40)}" if chosen.random() < 0.7 else "TASK_RUN_FAILED")
        for run in sorted(chosen.sample(range(1, operations + 1), k=count))
    )
    set_faults = ctypes.CDLL(str(library.SIMULATOR_FOLDER / "libhbucp.so")).hbSimSetFaults
    if set_faults(rules.encode()) != 0:
        raise ValueError(f"the simulator refused the rules {rules}")


def growth(resident: list[int]) -> list[str]:
    """Compares the second half of the plateaus after warm-up with their first half."""
    settled = sorted_halves(resident[WARM_UP_PHASES:])
    first, second = (half[len(half) // 2] for half in settled)
    say(f"soak: resident memory {first} to {second} KiB: {second / first - 1:+.2%}")
    if second > first * (1 + MOST_GROWTH):
        return [f"resident memory grew from {first} to {second} KiB: {resident}"]
    return []


def sorted_halves(values: list[int]) -> tuple[list[int], list[int]]:
    """Each sorted, so that its middle is its median."""
    middle = len(values) // 2
    return sorted(values[:middle]), sorted(values[middle:])


if __name__ == "__main__":
    sys.exit(main())
