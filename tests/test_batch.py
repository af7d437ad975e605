import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lib import batch

STOPPED = """
import signal, time
from concurrent.futures import ProcessPoolExecutor
from lib import batch

def slow(item):
    time.sleep(0.05)
    return item

def told(items):
    for number, item in enumerate(items):
        if number == 3:
            print("going", flush=True)
        yield item

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts tests may ignore it
    with ProcessPoolExecutor(2) as pool:
        try:
            batch.run(slow, range(2000), executor=pool, progress=told)
        except KeyboardInterrupt as stopped:
            print(type(stopped).__name__, stopped.rows == list(range(len(stopped.rows))), 3 <= len(stopped.rows) < 999)
"""


def half(number: int) -> int:
    if number % 2:
        raise batch.Skip(f"{number} is odd")
    return number // 2


def test_nothing_to_do() -> None:
    assert batch.run(half, []) == ([], [])


def test_results_in_order_and_a_bad_item_ends_nothing() -> None:
    assert batch.run(half, [8, 3, 2]) == ([4, 1], [{"item": "3", "reason": "3 is odd"}])


def test_the_worlds_trouble_is_skipped_ours_is_not() -> None:
    rows, skipped = batch.run(lambda p: open(p), ["/nowhere/a.jpg"])  # noqa: PTH123, SIM115
    assert rows == [] and "No such file" in skipped[0]["reason"]
    with pytest.raises(ZeroDivisionError):
        batch.run(lambda n: 1 // n, [0])


def test_a_full_disk_ends_the_run() -> None:
    def full(item: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        batch.run(full, [1, 2])


def test_processes_give_the_same() -> None:
    with ProcessPoolExecutor(2) as pool:
        assert batch.run(half, range(6), executor=pool) == batch.run(half, range(6))


def test_progress_sees_every_item_and_the_total() -> None:
    seen: list[int] = []

    def progress(items: Iterable[object]) -> Iterator[object]:
        seen.append(len(items))  # type: ignore[arg-type]
        for item in items:
            seen.append(1)
            yield item

    batch.run(half, [2, 4, 5], progress=progress)
    assert seen == [3, 1, 1, 1]


def test_ctrl_c_keeps_what_was_done() -> None:
    def stop(items: Iterable[object]) -> Iterator[object]:
        for number, item in enumerate(items):
            if number == 3:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt) as caught:
        batch.run(half, [8, 3, 2, 4], progress=stop)
    assert isinstance(caught.value, batch.Interrupted) and caught.value.rows == [4, 1]
    assert caught.value.skipped == [{"item": "3", "reason": "3 is odd"}]


def test_whatever_ends_a_run_takes_back_what_has_not_begun() -> None:
    class Pool:
        closed = False

        def map(self, function: object, items: object) -> Iterator[object]:
            try:
                yield from [(4, None), (5, None)]
            finally:
                self.closed = True

    def stop(items: Iterable[object]) -> Iterator[object]:
        yield next(iter(items))
        raise ZeroDivisionError

    pool = Pool()
    with pytest.raises(ZeroDivisionError):
        batch.run(half, [8, 10], executor=pool, progress=stop)  # type: ignore[arg-type]
    assert pool.closed


def test_ctrl_c_in_a_terminal_ends_a_run_on_processes(tmp_path: Path) -> None:
    """The signal goes to the workers too, as a terminal sends it; 2,000 items would take 50 seconds."""
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "going\n"
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert said == "Interrupted True True\n"
