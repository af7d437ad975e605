"""Files written whole or not at all, and named by their content."""

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["aside", "sha256", "spare", "write"]

_ASIDE = threading.RLock()  # a descriptor is the whole process's: one thread at a time turns it elsewhere


def sha256(source: str | Path | bytes) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits: the name that every image goes by."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def spare(target: str | Path | None, *inputs: str | Path, force: bool | None = None) -> None:
    """Make sure that writing target loses nothing: ValueError where it is one of the inputs, or is there already.

    force: what is there may be replaced, an input never; None where nobody is offered that. None as target is fine.
    """
    if target is None:
        return
    if Path(target).resolve() in {Path(i).resolve() for i in inputs}:
        raise ValueError(f"{target} is what is read, which is never overwritten; give another name")
    if Path(target).is_file() and not force:
        way = "" if force is None else ", or say --force"
        raise ValueError(f"{target} is there already and is not overwritten; give another name{way}")


def write(path: str | Path, content: bytes | str) -> Path:
    """Write bytes or UTF-8 text so that the file is there whole or not at all, whatever kills us. Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


@contextlib.contextmanager
def aside(into: int, *, numbers: tuple[int, ...] = (2,)) -> Iterator[None]:
    """For a while, what is written to descriptors (1 output, 2 error), by C++ and by new processes too, goes elsewhere.

    into: the descriptor that gets it. Other threads' words go there as well.
    """
    with _ASIDE:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        kept = [os.dup(number) for number in numbers]
        try:
            for number in numbers:
                os.dup2(into, number)
            yield
        finally:
            for number, old in zip(numbers, kept, strict=True):
                os.dup2(old, number)
                os.close(old)
