"""One way to map a function over many items: in order, with progress, and a bad item never ends the run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

__all__ = ["Interrupted", "Skip", "run"]


class Skip(Exception):
    """Raised for one item of many that cannot be used; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run: `.rows` and `.skipped` hold what was done until then, in order."""

    def __init__(self, rows: list[Any], skipped: list[dict[str, Any]]) -> None:
        super().__init__(f"interrupted after {len(rows) + len(skipped)} items")
        self.rows, self.skipped = rows, skipped


@dataclass(frozen=True)
class _Attempt:
    """A picklable wrapper that turns the world's trouble with one item into a value."""

    function: Callable[[Any], Any]

    def __call__(self, item: Any) -> tuple[Any, str | None]:
        try:
            return self.function(item), None
        except Skip as trouble:
            return None, trouble.reason
        except OSError as trouble:
            if trouble.errno == 28:  # no space left on device: every later item would fail alike
                raise
            return None, str(trouble)


def run(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Apply a function to every item: (results in input order, skipped as rows of item and reason).

    executor: anything with `map`, such as a ProcessPoolExecutor or a dask.distributed client's executor; the
    function must then be picklable. progress: a wrapper such as `tqdm`. `Skip` and `OSError` set one item aside;
    any other error is a mistake of ours and ends the run, as does a full disk. Ctrl-C raises Interrupted, which holds
    what was done; whatever ends the run, an executor's items that have not begun are taken back.
    """
    items, rows, skipped = list(items), [], []
    mapped = (executor.map if executor is not None else map)(_Attempt(function), items)
    shown: Iterable[Any] = mapped if progress is None else progress(_Sized(mapped, len(items)))
    try:
        for item, (result, reason) in zip(items, shown, strict=True):
            if reason is None:
                rows.append(result)
            else:
                skipped.append({"item": str(item), "reason": reason})
    except KeyboardInterrupt as trouble:
        raise Interrupted(rows, skipped) from trouble
    finally:
        if hasattr(mapped, "close"):  # an executor's iterator: cancels what waits
            mapped.close()
    return rows, skipped


@dataclass
class _Sized:
    """An iterator that knows its length, so that a progress bar can show a share."""

    iterator: Iterable[Any]
    length: int

    def __iter__(self) -> Any:
        return iter(self.iterator)

    def __len__(self) -> int:
        return self.length
