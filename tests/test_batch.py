from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from lib import batch


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
