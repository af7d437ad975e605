"""Provenance: where every image came from, what was made of it, and why it was kept or set aside.

An image goes by the SHA-256 of its bytes. Every append is a transaction of a write-ahead log, so a killed run loses at
most the image in flight. Nothing is ever deleted here: what is set aside is a row that can be undone.
"""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Manifest"]

_TABLES = ("images", "sources", "attempts", "derivations", "decisions", "forgotten")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS images (
    sha256 TEXT PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER, width INTEGER, height INTEGER, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS sources (
    sha256 TEXT NOT NULL, url TEXT NOT NULL, page TEXT NOT NULL DEFAULT '', query TEXT NOT NULL DEFAULT '',
    engine TEXT NOT NULL DEFAULT '', label TEXT NOT NULL DEFAULT '', rank INTEGER, http_type TEXT, licence TEXT,
    time REAL NOT NULL, UNIQUE (sha256, url, query, engine));
CREATE TABLE IF NOT EXISTS attempts (
    url TEXT NOT NULL, query TEXT NOT NULL DEFAULT '', engine TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS derivations (
    child TEXT NOT NULL, parent TEXT NOT NULL, how TEXT NOT NULL, parameters TEXT NOT NULL, seed INTEGER,
    time REAL NOT NULL, UNIQUE (child, parent, how));
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, step TEXT NOT NULL, kept INTEGER NOT NULL, reason TEXT NOT NULL,
    time REAL NOT NULL, undone REAL);
CREATE TABLE IF NOT EXISTS forgotten (key TEXT PRIMARY KEY, time REAL NOT NULL, takedown INTEGER);
CREATE TABLE IF NOT EXISTS takedowns (
    id INTEGER PRIMARY KEY, files TEXT, started REAL NOT NULL, finished REAL);
CREATE INDEX IF NOT EXISTS images_by_file ON images (file);
CREATE INDEX IF NOT EXISTS decisions_by_image ON decisions (sha256);
CREATE INDEX IF NOT EXISTS sources_by_url ON sources (url);
CREATE INDEX IF NOT EXISTS attempts_by_url ON attempts (url);
"""
_PHOTOS = """
SELECT images.*,
       CASE WHEN COUNT(DISTINCT NULLIF(sources.label, '')) = 1 THEN MAX(sources.label) ELSE '' END AS label,
       sha256 NOT IN (SELECT sha256 FROM decisions WHERE undone IS NULL AND NOT kept) AS kept
FROM images LEFT JOIN sources USING (sha256)
WHERE sha256 NOT IN (SELECT child FROM derivations)
GROUP BY sha256 ORDER BY images.rowid
"""
_REPLACED = """
SELECT sha256 FROM images WHERE file = ? AND sha256 != ?
AND sha256 NOT IN (SELECT sha256 FROM decisions WHERE step = 'replaced' AND undone IS NULL)
"""


class Manifest:
    """The tables of one workspace: images, sources, attempts, derivations, decisions, forgotten.

    `file` is relative to the manifest's folder where the image lies inside it, else absolute (a person's own photo
    that stays where it is). Times are seconds since 1970. Usable as a context manager, from several threads, and from
    several processes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        self._lock, self._depth = threading.RLock(), 0
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a closed manifest answers nothing."""
        self._database.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make several appends one transaction: all of them are kept, or, after an error or a kill, none."""
        with self._lock:
            self._depth += 1
            try:
                yield
            except BaseException:
                self._database.rollback()
                raise
            else:
                if self._depth == 1:
                    self._database.commit()
            finally:
                self._depth -= 1

    def add_image(self, sha256: str, file: str | Path, *, bytes: int, width: int, height: int) -> bool:
        """Remember an image; whether it was new. A known one keeps its first file for as long as that holds it.

        What the file held before, where that was edited in place, is set aside by a decision of step "replaced".
        """
        row = (sha256, self._shown(file), bytes, width, height, time.time())
        with self.together():
            new = self._write("INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?)", [row]) > 0
            back = self.undo("replaced", sha256) > 0
            first = self.holds(sha256)
            if first is not None and (back or not first.is_file()) and Path(file).is_file():
                self._write("UPDATE images SET file = ? WHERE sha256 = ?", [(row[1], sha256)])
            if new or back:
                rows = self._database.execute(_REPLACED, (row[1], sha256)).fetchall()
                reason = f"replaced: the file now holds {sha256[:12]}"
                self.decide("replaced", [(old, False, reason) for (old,) in rows])
        return new

    def add_source(
        self,
        sha256: str,
        url: str,
        *,
        page: str = "",
        query: str = "",
        engine: str = "",
        label: str = "",
        rank: int | None = None,
        http_type: str | None = None,
        licence: str | None = None,
    ) -> bool:
        """Remember where an image was seen; whether that was new. label: the class that query or folder promise."""
        row = (sha256, url, page, query, engine, label, rank, http_type, licence, time.time())
        return self._write(f"INSERT OR IGNORE INTO sources VALUES ({', '.join('?' * len(row))})", [row]) > 0

    def promise(self, sha256: str, url: str, label: str, *, engine: str) -> bool:
        """Change the class that a known source promises, '' where it promises nothing any more; whether it changed."""
        row = (label, sha256, url, engine, label)
        what = "UPDATE sources SET label = ? WHERE sha256 = ? AND url = ? AND engine = ? AND label != ?"
        return self._write(what, [row]) > 0

    def add_attempt(self, url: str, outcome: str, *, query: str = "", engine: str = "", reason: str = "") -> None:
        """Remember what became of one result of a search, and why.

        outcome: downloaded, known (the address or the bytes were here already), unreadable (bytes came, but no whole
        image), refused (by our rules or at the owner's wish), failed (no answer, or an error instead of an image).
        """
        self._write(
            "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?)", [(url, query, engine, outcome, reason, time.time())]
        )

    def derive(
        self, child: str, parent: str, how: str, *, parameters: Mapping[str, Any], seed: int | None = None
    ) -> None:
        """Remember that one image was made of another: a masked copy, a crop, a blurred copy."""
        row = (child, parent, how, json.dumps(parameters, sort_keys=True, default=float), seed, time.time())
        self._write("INSERT OR REPLACE INTO derivations VALUES (?, ?, ?, ?, ?, ?)", [row])

    def decide(self, step: str, decisions: Iterable[tuple[str, bool, str]], *, whole: bool = False) -> None:
        """Keep or set aside images: rows of (sha256, kept, reason), in place of what the step said of them before.

        whole: these are all that the step has to say now; what it said of other images is undone, too.
        """
        now, decisions = time.time(), list(decisions)
        with self.together():
            if whole:
                self.undo(step)
            self._database.executemany(
                "UPDATE decisions SET undone = ? WHERE step = ? AND sha256 = ? AND undone IS NULL",
                [(now, step, sha256) for sha256, _, _ in decisions],
            )
            self._database.executemany(
                "INSERT INTO decisions (sha256, step, kept, reason, time) VALUES (?, ?, ?, ?, ?)",
                [(sha256, step, int(kept), reason, now) for sha256, kept, reason in decisions],
            )

    def undo(self, step: str, sha256: str | None = None) -> int:
        """Take back a step's decisions, on one image or on all; how many were taken back."""
        only, values = (" AND sha256 = ?", [sha256]) if sha256 is not None else ("", [])
        return self._write(
            "UPDATE decisions SET undone = ? WHERE step = ? AND undone IS NULL" + only, [(time.time(), step, *values)]
        )

    def forget(self, images: Iterable[str], keys: Iterable[str], *, files: Mapping[str, Any]) -> int:
        """Delete all rows of images (SHA-256), and remember keys (hashes, addresses) that never come back.

        One transaction. files: what is now still to be deleted or rewritten, as JSON can hold it; it stands in
        `unfinished` under the number returned until `finish`. What is deleted is overwritten in the file.
        """
        gone, keys, now = [(sha256,) for sha256 in images], list(keys), time.time()
        self._database.execute("PRAGMA secure_delete=ON")
        with self.together():
            run = self._database.executemany
            run("DELETE FROM attempts WHERE url IN (SELECT url FROM sources WHERE sha256 = ?)", gone)
            run("DELETE FROM attempts WHERE url = ?", [(key,) for key in keys])
            for table in ("images", "sources", "decisions"):
                run(f"DELETE FROM {table} WHERE sha256 = ?", gone)
            run("DELETE FROM derivations WHERE child = ?1 OR parent = ?1", gone)
            row = (json.dumps(files), now)
            number = self._database.execute("INSERT INTO takedowns (files, started) VALUES (?, ?)", row).lastrowid or 0
            run("INSERT OR IGNORE INTO forgotten VALUES (?, ?, ?)", [(key, now, number) for key in keys])
            return number

    def unfinished(self) -> dict[int, dict[str, Any]]:
        """Take-downs whose files are not all gone yet: number → what `forget` noted."""
        with self._lock:
            rows = self._database.execute("SELECT id, files FROM takedowns WHERE finished IS NULL ORDER BY id")
            return {number: json.loads(files) for number, files in rows}

    def finish(self, number: int) -> None:
        """Note that a take-down's files are gone, and forget their names."""
        self._write("UPDATE takedowns SET finished = ?, files = NULL WHERE id = ?", [(time.time(), number)])
        with self._lock:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forgotten(self, *keys: str) -> bool:
        """Whether a person wished that one of these hashes or addresses never comes back."""
        return any(self._one("SELECT 1 FROM forgotten WHERE key = ?", key) is not None for key in keys)

    def readmit(self, key: str) -> int:
        """Let a forgotten hash or address come in again, with all that were forgotten together with it; how many."""
        same = "SELECT takedown FROM forgotten WHERE key = ?"
        return self._write(f"DELETE FROM forgotten WHERE takedown IN ({same})", [(key,)])

    def read(self, table: str) -> "pd.DataFrame":
        """One of the tables as a DataFrame, in the order of writing."""
        import pandas as pd

        if table not in _TABLES:
            raise ValueError(f"manifest: no table {table!r}; there are {', '.join(_TABLES)}")
        with self._lock:
            return pd.read_sql_query(f"SELECT * FROM {table} ORDER BY rowid", self._database)

    def standing(self, step: str | None = None) -> "pd.DataFrame":
        """The decisions that were not undone, of one step or of all: sha256, step, kept, reason, time."""
        import pandas as pd

        only, values = ("AND step = ?", [step]) if step else ("", [])
        query = f"SELECT sha256, step, kept, reason, time FROM decisions WHERE undone IS NULL {only} ORDER BY id"
        with self._lock:
            rows = pd.read_sql_query(query, self._database, params=values)
        return rows.assign(kept=rows["kept"].astype(bool))

    def seen(self, url: str) -> str | None:
        """SHA-256 of the image that an address gave before, or None."""
        found = self._one(
            "SELECT sha256 FROM sources JOIN images USING (sha256) WHERE url = ? ORDER BY sources.rowid DESC", url
        )
        return None if found is None else str(found[0])

    def holds(self, sha256: str) -> Path | None:
        """Path of an image that is remembered, or None."""
        found = self._one("SELECT file FROM images WHERE sha256 = ?", sha256)
        return None if found is None else self.file(found[0])

    def last_attempt(self, url: str) -> tuple[str, str] | None:
        """(outcome, reason) of the latest attempt on an address, or None."""
        return self._one("SELECT outcome, reason FROM attempts WHERE url = ? ORDER BY rowid DESC", url)

    def photos(self) -> "pd.DataFrame":
        """The images that were not made of others, in the order of arrival, those set aside included.

        Columns: those of images, plus label (what their sources promise; '' where none does, or sources disagree), kept
        (no standing decision sets it aside, and its file is there) and path.
        """
        import pandas as pd

        with self._lock:
            rows = pd.read_sql_query(_PHOTOS, self._database)
        paths = [self.file(shown) for shown in rows["file"]]
        there = np.array([path.is_file() for path in paths], bool)
        return rows.assign(kept=rows["kept"].astype(bool) & there, path=[str(path) for path in paths])

    def kept(self) -> "pd.DataFrame":
        """The photos that are there and that no standing decision sets aside; columns of `photos` but for kept."""
        rows = self.photos()
        return rows[rows["kept"]].drop(columns="kept").reset_index(drop=True)

    def file(self, shown: str) -> Path:
        """Path of a file as the tables name it."""
        return self.path.parent / shown

    def _shown(self, file: str | Path) -> str:
        file, home = Path(file).resolve(), self.path.parent.resolve()
        return file.relative_to(home).as_posix() if file.is_relative_to(home) else str(file)

    def _write(self, statement: str, rows: list[tuple]) -> int:
        with self.together():
            return self._database.executemany(statement, rows).rowcount

    def _one(self, query: str, value: str) -> tuple | None:
        with self._lock:
            return self._database.execute(query + " LIMIT 1", (value,)).fetchone()
