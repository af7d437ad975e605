"""icrawler's feeder, parser and downloader, put to work under our rules: nothing is swallowed, everything is written.

icrawler itself drops HTTP errors, parser exceptions and addresses; a downloader that finds its queue empty once goes
home (so that of 200 wanted 109 arrive). Its three kinds of workers and its queues are kept, their loops are ours.
"""

import io
import queue
import threading
import warnings
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import icrawler
from icrawler.storage import BaseStorage
from PIL import Image

from .. import images
from ..batch import Skip
from ..workspace import Workspace
from .engines import Engine, Result, Wanted
from .fetch import Answer, Session
from .limits import FORGOTTEN, Limits, NotTaken

__all__ = ["Harvest", "Job"]

_TICK = 0.05  # seconds between two looks at a queue
_AHEAD = 60  # results that may wait for the downloaders before another page is asked for
_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "MPO": ".jpg",
           "AVIF": ".avif"}  # fmt: skip
_BLOCKED = (b"captcha", b"unusual traffic", b"are you a robot", b"enablejs", b"consent.google")


@dataclass
class Job:
    """One query to one engine, and what became of it so far."""

    engine: str
    wanted: Wanted
    label: str
    limit: int
    limits: Limits
    private: bool = False
    allow: frozenset[str] = frozenset()  # hosts of result pages, which a person typed himself
    counts: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)
    pages: list[str] = field(default_factory=list)  # one remark a page that gave nothing
    asked: int = 0
    total: int = 0
    full: bool = False  # as many bytes came as may


class Harvest(icrawler.Crawler):
    """One run of icrawler's three stages for a job; iterate over `run()` for the outcome of each result."""

    def __init__(self, job: Job, how: Engine, *, into: Workspace) -> None:
        self.job, self.stop = job, threading.Event()
        self.trouble: BaseException | None = None
        self.outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.into, self.manifest = into, into.manifest()
        super().__init__(
            _Feeder,
            _Parser,
            _Downloader,
            downloader_threads=job.limits.threads,
            storage=_Shelf(into),
            extra_feeder_args={"harvest": self, "how": how},
            extra_parser_args={"harvest": self, "how": how},
            extra_downloader_args={"harvest": self},
        )
        for pool in (self.feeder, self.parser):  # a bounded queue loses results: they count as seen before they fit
            pool.out_queue.maxsize = 0

    def set_logger(self, log_level: int = 0) -> None:
        """Leave the caller's logging alone (icrawler would install a handler)."""

    def set_session(self, headers: dict | None = None) -> None:
        """Use the guarded session."""
        self.session = Session(self.job.limits, stop=self.stop, robots=self.job.engine == "site")

    def run(self) -> Generator[str, None, None]:
        """Yield an outcome a result until all is done; stops the workers when the caller stops, Ctrl-C included."""
        self.signal.reset()
        pools = (self.feeder, self.parser, self.downloader)
        try:
            for pool in pools:
                pool.start()
            while self.downloader.is_alive() or not self.outcomes.empty():
                if not self.feeder.is_alive():
                    self.signal.set(feeder_exited=True)
                    if not self.parser.is_alive():
                        self.signal.set(parser_exited=True)
                try:
                    yield self.outcomes.get(timeout=_TICK)
                except queue.Empty:
                    continue
        finally:
            self.stop.set()
            for worker in (w for pool in pools for w in pool.workers):
                worker.join(self.job.limits.timeout + 5)
            self.session.close()
            self.manifest.close()
        if self.trouble is not None:
            raise self.trouble

    def fail(self, trouble: BaseException) -> None:
        """End the run for a trouble that the next result would meet too (a full disk) or that is our mistake."""
        self.trouble = self.trouble or trouble
        self.stop.set()


class _Shelf(BaseStorage):
    """icrawler's storage, by content: raw/ab/abcdef….jpg, whole or not at all."""

    def __init__(self, into: Workspace) -> None:
        self.root = into.raw

    def write(self, id: str, data: bytes) -> None:
        images.write(self.root / id[:2] / id, data)

    def exists(self, id: str) -> bool:
        return (self.root / id[:2] / id).is_file()

    def max_file_idx(self) -> int:
        return 0


class _Feeder(icrawler.Feeder):
    def __init__(self, *arguments: Any, harvest: Harvest, how: Engine) -> None:
        super().__init__(*arguments)
        self.harvest, self.how = harvest, how

    def worker_exec(self, **kwargs: Any) -> None:
        stop, job = self.harvest.stop, self.harvest.job
        try:
            for number, page in enumerate(self.how.pages(job.wanted)):
                while self.out_queue.qsize() > 50 and not stop.is_set():
                    stop.wait(_TICK)
                enough = number >= job.limits.pages and not self.how.direct
                if stop.is_set() or self.harvest.parser.exhausted or enough:
                    return
                self.output(page)
        except Exception as trouble:
            self.harvest.fail(trouble)


class _Parser(icrawler.Parser):
    def __init__(self, *arguments: Any, harvest: Harvest, how: Engine) -> None:
        super().__init__(*arguments)
        self.harvest, self.how = harvest, how
        self.exhausted = False
        self._named: set[str] = set()

    def worker_exec(self, **kwargs: Any) -> None:
        try:
            while not self.harvest.stop.is_set():
                last = self.signal.get("feeder_exited")
                try:
                    page = self.in_queue.get(timeout=_TICK)
                except queue.Empty:
                    if last:
                        return
                    continue
                while self.out_queue.qsize() > _AHEAD and not self.harvest.stop.is_set():
                    self.harvest.stop.wait(_TICK)
                if not self.exhausted:
                    self._take(page)
        except Exception as trouble:
            self.harvest.fail(trouble)

    def _take(self, page: str) -> None:
        job = self.harvest.job
        job.asked += not self.how.direct
        found, further = self.how.parse(b"", page) if self.how.direct else self.parse(page)
        new = [r for r in found if r.url not in self._named]
        self._named.update(r.url for r in new)
        for result in dict.fromkeys(new):
            job.counts["parsed"] += 1
            self.output({"file_url": result.url, "page": result.page or page, "rank": job.counts["parsed"],
                         "licence": result.licence})  # fmt: skip
        for address in further:
            self.input(address)
        if self.how.follows:
            self.exhausted |= job.asked >= job.limits.pages
        elif not self.how.direct:
            self.exhausted |= not new

    def parse(self, page: str) -> tuple[list[Result], list[str]]:
        """Fetch and read one result page; a page that gives nothing leaves a remark with the job."""
        job = self.harvest.job
        try:
            answer = self.session.fetch(page, allow=job.allow, private=job.private)
        except NotTaken as trouble:
            job.pages.append(trouble.reason)
            return [], []
        remark = f"HTTP {answer.status}, {len(answer.content):,} bytes of {answer.type or 'no type'}"
        if any(word in answer.content.lower() for word in _BLOCKED):
            remark += ", asks whether a robot is calling"
        try:
            found, further = self.how.parse(answer.content, answer.url) if answer.status == 200 else ([], [])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as trouble:
            found, further, remark = [], [], f"{remark}, cannot be read ({trouble})"
        if not found:
            job.pages.append(remark)
        return found, further


class _Downloader(icrawler.Downloader):
    def __init__(self, *arguments: Any, harvest: Harvest) -> None:
        super().__init__(*arguments)
        self.harvest, self.good, self.busy = harvest, 0, 0
        self.turn = threading.Condition(self.lock)

    def worker_exec(self, **kwargs: Any) -> None:
        try:
            while not self.harvest.stop.is_set():
                last = self.signal.get("parser_exited")
                if not self._claim():
                    return
                try:
                    task = self.in_queue.get(timeout=_TICK)
                except queue.Empty:
                    self._release(False)
                    if last:
                        return
                    continue
                self._release(self.download(task, ""))
        except Exception as trouble:
            self._release(False)
            self.harvest.fail(trouble)

    def _claim(self) -> bool:
        """Reserve one of the images that are still wanted; False when enough are here."""
        job = self.harvest.job
        with self.turn:
            while self.good + self.busy >= job.limit and self.good < job.limit:
                if self.harvest.stop.is_set():
                    return False
                self.turn.wait(_TICK)
            if self.good >= job.limit or job.total >= job.limits.total:
                self.harvest.parser.exhausted = True
                return False
            self.busy += 1
            return True

    def _release(self, good: bool) -> None:
        with self.turn:
            self.busy -= 1
            self.good += good
            self.turn.notify_all()

    def download(self, task: dict, default_ext: str, timeout: int = 5, max_retry: int = 3,
                 overwrite: bool = False, **kwargs: Any) -> bool:  # fmt: skip
        """Bring one result in, or say why not; whether it counts towards the limit."""
        url, manifest = task["file_url"], self.harvest.manifest
        if manifest.forgotten(url):
            return self._note(task, "refused", FORGOTTEN)
        known = manifest.seen(url)
        if known is not None:
            path = manifest.holds(known)
            if path is not None and path.is_file():
                return self._keep(task, known, "known", "address seen before")
        before = manifest.last_attempt(url)
        if before is not None and before[0] == "unreadable":
            return self._note(task, *before)
        job = self.harvest.job
        try:
            answer = self.session.fetch(url, allow=self._neighbours(), private=job.private, image=True)
            suffix, (width, height) = inspect(answer.content, job.limits)
        except NotTaken as trouble:
            if trouble.reason == "stopped":
                return False
            return self._note(task, trouble.outcome, trouble.reason)
        return self._store(task, answer, (suffix, width, height))

    def _neighbours(self) -> frozenset[str]:
        """A gallery's own host may be private: a person named it. No other engine's images may."""
        return self.harvest.job.allow if self.harvest.job.engine == "gallery" else frozenset()

    def _store(self, task: dict, answer: Answer, kind: tuple[str, int, int]) -> bool:
        suffix, width, height = kind
        sha256, manifest = images.sha256(answer.content), self.harvest.manifest
        if manifest.forgotten(sha256, answer.url):
            return self._note(task, "refused", FORGOTTEN)
        held = manifest.holds(sha256)
        if held is not None and held.is_file():
            return self._keep(task, sha256, "known", "same bytes as an image that is here", answer)
        name = sha256 + suffix
        self.storage.write(name, answer.content)
        with self.lock:
            self.harvest.job.total += len(answer.content)
            self.harvest.job.full |= self.harvest.job.total >= self.harvest.job.limits.total
        with manifest.together():
            file = self.harvest.into.raw / name[:2] / name
            if manifest.add_image(sha256, file, bytes=len(answer.content), width=width, height=height) or held:
                return self._keep(task, sha256, "downloaded", "", answer)
            return self._keep(task, sha256, "known", "same bytes as an image that is here", answer)

    def _keep(self, task: dict, sha256: str, outcome: str, reason: str, answer: Answer | None = None) -> bool:
        job, manifest = self.harvest.job, self.harvest.manifest
        with manifest.together():
            manifest.add_source(
                sha256, task["file_url"], page=task["page"], query=job.wanted.query, engine=job.engine,
                label=job.label, rank=task["rank"], http_type=answer.type if answer else None,
                licence=task["licence"],
            )  # fmt: skip
            self._note(task, outcome, reason)
        return True

    def _note(self, task: dict, outcome: str, reason: str) -> bool:
        job = self.harvest.job
        self.harvest.manifest.add_attempt(
            task["file_url"], outcome, query=job.wanted.query, engine=job.engine, reason=reason
        )
        with self.lock:
            job.counts[outcome] += 1
            if outcome not in ("downloaded", "known"):
                job.reasons[reason.split(" (")[0]] += 1
        self.harvest.outcomes.put(outcome)
        return False


def inspect(content: bytes, limits: Limits) -> tuple[str, tuple[int, int]]:
    """Suffix and upright size of a whole, readable image; raises NotTaken.

    The header is looked at first, so that a decompression bomb is never unpacked.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                kind, (w, h) = image.format or "", image.size
                turned = image.getexif().get(0x0112, 1) >= 5
    except Image.DecompressionBombError:
        raise NotTaken("refused", f"more than {limits.pixels / 1e6:g} megapixels") from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError) as trouble:
        page = content[:512].lstrip().lower().startswith((b"<!doctype", b"<html"))
        said = "a web page, not an image" if page else "not an image"
        raise NotTaken("unreadable", said) from trouble
    if kind not in _SUFFIX:
        raise NotTaken("refused", f"kind of image not used here ({kind})")
    if w * h > limits.pixels:
        raise NotTaken("refused", f"more than {limits.pixels / 1e6:g} megapixels ({w} × {h})")
    if min(w, h) < limits.side:
        raise NotTaken("refused", f"smaller than {limits.side} pixels ({w} × {h})")
    try:
        images.read(content, max_side=64)
    except Skip as trouble:
        raise NotTaken("unreadable", trouble.reason) from None
    return _SUFFIX[kind], (h, w) if turned else (w, h)


def netloc(address: str | None) -> frozenset[str]:
    """Host and port of an address, as the set of hosts that a person named himself."""
    return frozenset({urlsplit(address).netloc} if address else ())
