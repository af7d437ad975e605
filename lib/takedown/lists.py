"""Tables and lists that name images: whether one names these, and the same without them."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUFFIXES", "Names", "mentions", "named_in_split", "without"]

SUFFIXES = (".parquet", ".json", ".jsonl", ".csv", ".txt")
_DIGITS = 16  # of a hash, as files are named


@dataclass(frozen=True)
class Names:
    """What some images are called: hashes (SHA-256), paths of their files, and the ends of these that mean them alone.

    ends: "with_mask/a.jpg", which also ends "sample/with_mask/a.jpg", or "a.jpg", which counts only where it is all.
    """

    hashes: frozenset[str]
    paths: frozenset[Path]
    ends: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hashes: Iterable[str], paths: Iterable[str | Path], ends: Iterable[str] = ()) -> "Names":
        """Names from what a plan notes."""
        return cls(frozenset(hashes), frozenset(Path(p).resolve() for p in paths), frozenset(ends))

    def mean(self, text: str) -> bool:
        """Whether a text is the name of one of the images."""
        if any(sha256[:_DIGITS] in text for sha256 in self.hashes) or text in self.ends:
            return True
        if any("/" in end and text.endswith(f"/{end}") for end in self.ends):
            return True
        return "/" in text and len(text) < 4096 and "\0" not in text and Path(text).resolve() in self.paths

    @property
    def needles(self) -> tuple[str, ...]:
        """Pieces of text one of which is in every list that names an image, as JSON may write it too."""
        plain = {sha256[:_DIGITS] for sha256 in self.hashes}
        plain |= {path.name for path in self.paths} | {Path(end).name for end in self.ends}
        return tuple(plain | {json.encoder.encode_basestring_ascii(text)[1:-1] for text in plain})


def mentions(path: Path, names: Names) -> bool:
    """Whether a table or list names one of the images; one that cannot be read names none."""
    try:
        if path.suffix == ".parquet":
            return bool(_theirs(_read(path), names).any())
        return _cleaned(path, names) is not None
    except (OSError, ValueError, csv.Error):
        return False


def without(path: Path, names: Names) -> None:
    """Write a table or list anew without these images, where it names one."""
    if path.is_file() and (content := _cleaned(path, names)) is not None:
        files.write(path, content)


def named_in_split(path: Path, names: Names) -> tuple[str, list[str]]:
    """A split file's own hash and the sides that name one of the images; ('', []) for any other file."""
    try:
        text = path.read_text(encoding="utf-8")
        said = json.loads(text) if any(needle in text for needle in names.needles) else {}
        sides = {side: [key for key in keys if names.mean(key)] for side, keys in said["images"].items()}
        return str(said.get("sha256", "")), [side for side, keys in sides.items() if keys]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "", []


def _cleaned(path: Path, names: Names) -> bytes | None:
    """What a file would hold without the images; None where it does not name them."""
    if path.suffix == ".parquet":
        return _parquet(path, names)
    text = path.read_text(encoding="utf-8")
    if not any(needle in text for needle in names.needles):
        return None
    content = _WAYS[path.suffix](text, names)
    return None if content is None else content.encode()


def _parquet(path: Path, names: Names) -> bytes | None:
    table = _read(path)
    theirs = _theirs(table, names)
    if not theirs.any():
        return None
    buffer = io.BytesIO()
    table[~theirs].to_parquet(buffer, index=False)
    return buffer.getvalue()


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path)


def _theirs(table: "pd.DataFrame", names: Names) -> Any:
    """Which rows are about these images: by file, by the hash in a file's name, or by parent."""
    import pandas as pd

    found = pd.Series(False, index=table.index)
    if "image" in table:
        image = table["image"].astype(str)
        found |= image.map({text: names.mean(text) for text in image.unique()})
    return found | table["parent"].isin(names.hashes) if "parent" in table else found


def _json(text: str, names: Names) -> str | None:
    before = json.loads(text)
    after = _pruned(before, names)
    return None if after == before else json.dumps(after, indent=1)


def _pruned(value: Any, names: Names) -> Any:
    """JSON without the entries that name an image, whether as key, as value, or as a record with its name."""
    if isinstance(value, list):
        return [_pruned(item, names) for item in value if not _about(item, names)]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if not names.mean(k) and not (isinstance(v, str) and names.mean(v))}
    if isinstance(kept.get("images"), list) and isinstance(kept.get("annotations"), list):  # COCO refers by number
        gone = {i.get("id") for i in kept["images"] if isinstance(i, dict) and _about(i, names)}
        kept["annotations"] = [
            a for a in kept["annotations"] if not (isinstance(a, dict) and a.get("image_id") in gone)
        ]
    return {k: _pruned(v, names) for k, v in kept.items()}


def _about(item: Any, names: Names) -> bool:
    said = item.values() if isinstance(item, dict) else [item]
    return any(isinstance(text, str) and names.mean(text) for text in said)


def _lines(text: str, names: Names) -> str | None:
    """Lines of text or JSON, without those that name an image by a word, or anywhere in their record."""
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not _line_about(line.strip(), names)]
    return None if len(kept) == len(lines) else "".join(kept)


def _line_about(line: str, names: Names) -> bool:
    try:
        record = json.loads(line)
        return _about(record, names) or _pruned(record, names) != record
    except ValueError:
        return names.mean(line) or any(names.mean(word) for word in line.split())


def _csv(text: str, names: Names) -> str | None:
    rows = list(csv.reader(io.StringIO(text)))
    kept = [row for row in rows if not any(names.mean(cell) for cell in row)]
    if len(kept) == len(rows):
        return None
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(kept)
    return out.getvalue()


_WAYS: dict[str, Callable[[str, Names], str | None]] = {
    ".json": _json, ".jsonl": _lines, ".txt": _lines, ".csv": _csv,
}  # fmt: skip
