"""One way to map a function over many items: in order, with progress, and a bad item never ends the run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

__all__ = ["Skip", "run"]


class Skip(Exception):
    """Raised for one item of many that cannot be used; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
    any other error is a mistake of ours and ends the run, as does a full disk.
    """
    items = list(items)
    mapped: Iterable[Any] = (executor.map if executor is not None else map)(_Attempt(function), items)
    if progress is not None:
        mapped = progress(_Sized(mapped, len(items)))
    rows, skipped = [], []
    for item, (result, reason) in zip(items, mapped, strict=True):
        if reason is None:
            rows.append(result)
        else:
            skipped.append({"item": str(item), "reason": reason})
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
