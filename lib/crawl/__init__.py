"""From a search phrase, a site, a list of addresses or a folder to raw files with a memory.

Every image is named by the hash of its content; the manifest keeps where it was seen and what became of every result.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..workspace import Workspace
from .folder import take_in
from .limits import Limits
from .sheets import arrivals, funnel, report, unreadable

if TYPE_CHECKING:
    import pandas as pd

    from .harvest import Job

__all__ = ["ENGINES", "Limits", "NothingParsed", "arrivals", "crawl", "crawl_all", "funnel", "report", "take_in",
           "unreadable"]  # fmt: skip

ENGINES = ("bing", "google", "baidu", "flickr", "gallery", "site", "urls")
LICENCES = ("creativecommons", "publicdomain", "commercial", "noncommercial")
_LANGUAGES, _FILTERS = ("bing", "google"), ("bing", "google", "flickr")  # engines that know such a filter
_FULL = "ended at the cap on the bytes of all images"
_COLUMNS = ["engine", "query", "label", "pages", "parsed", "downloaded", "known", "refused", "left", "bytes", "why"]
Progress = Callable[[Iterable[Any]], Iterable[Any]]


class NothingParsed(RuntimeError):
    """An engine's pages gave not one result; `.engine`, `.query` and `.remarks` (one a page) tell what came instead."""

    def __init__(self, engine: str, query: str, remarks: Sequence[str]) -> None:
        self.engine, self.query, self.remarks = engine, query, list(remarks)
        came = "; ".join(dict.fromkeys(remarks)) or "no page at all"
        super().__init__(
            f"{engine}: no result for {query!r} ({came}). {_advice(engine, came)} Or try another engine "
            f"({', '.join(e for e in ENGINES[:4] if e != engine)}), a list of addresses (engine='urls'), or take in a "
            f"folder of photos (crawl.take_in)"
        )


def crawl(
    query: str | Path | Sequence[str],
    *,
    engine: str = "bing",
    label: str = "",
    limit: int = 100,
    into: Workspace,
    address: str | None = None,
    allow_private: bool = False,
    language: str | None = None,
    licence: str | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> "pd.DataFrame":
    """Bring up to limit images into a workspace; a report of one row: what was parsed, downloaded, known, refused, why.

    For engine "site" each host's robots.txt is asked first and followed, its Crawl-delay too.
    query: a phrase; for engine "site" an address to start from, for "urls" an address, a list of them, or a text file
    with one a line. label: the class that the query promises. What is here already counts towards limit and is not
    fetched again; its new source is remembered. address: another results page than the engine's own (for "gallery" its
    only one). Private and loopback addresses are refused as image sources, but for a gallery's own host, unless
    allow_private. licence: one of LICENCES. progress: a wrapper such as `tqdm`.
    Raises NothingParsed, and ValueError for an option that the engine does not know.
    """
    _check(engine, limit, language, licence)
    if isinstance(query, str) and not query.strip():
        raise ValueError("query: is empty; say what to look for")
    from . import engines, harvest

    listed = _listed(query) if engine == "urls" else ()
    text = "" if engine == "urls" else str(query)
    named = address or (text if engine == "site" else None)
    job = harvest.Job(
        engine=engine,
        wanted=engines.Wanted(text, address, language, licence, listed),
        label=label,
        limit=limit,
        limits=limits or Limits(),
        private=allow_private,
        allow=harvest.netloc(named),
    )
    with contextlib.closing(harvest.Harvest(job, engines.ENGINES[engine], into=into).run()) as run:
        for _ in run if progress is None else progress(run):
            pass
    if not job.counts["parsed"] and not job.full:
        raise NothingParsed(engine, text or "the list", job.pages)
    return _report(job, into)


def crawl_all(
    queries: Mapping[str, Sequence[str]], *, engines: Sequence[str] = ("bing",), into: Workspace, **options: Any
) -> "pd.DataFrame":
    """Ask several engines for several phrases of each class: {"with_mask": ["person wearing a mask", …], …}.

    A report row for each engine and phrase; limit and the other options of `crawl` hold for each, but limits.total
    for all together: what is asked after it is reached is a row that says so. An engine that parsed nothing is a row
    that says so, too; only when all of them did, NothingParsed is raised.
    """
    import pandas as pd

    asked = [(engine, query, label) for label, said in queries.items() for query in said for engine in engines]
    for engine in engines:
        _check(engine, options.get("limit", 100), options.get("language"), options.get("licence"))
    limits = options.pop("limits", None) or Limits()
    reports, nothing, free = [], [], limits.total
    for engine, query, label in asked:
        about = {"engine": engine, "query": query, "label": label}
        try:
            if free <= 0:
                reports.append(_row(**about, why=_FULL))
                continue
            capped = dataclasses.replace(limits, total=free)
            reports.append(crawl(query, engine=engine, label=label, into=into, limits=capped, **options))
            free -= int(reports[-1]["bytes"].sum())
        except NothingParsed as trouble:
            nothing.append(trouble)
            reports.append(_row(**about, why="; ".join(dict.fromkeys(trouble.remarks))))
    if nothing and len(nothing) == len(reports):
        raise nothing[0]
    return pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=_COLUMNS)


def _row(**said: Any) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([{c: said.get(c, 0) for c in _COLUMNS}])


def _report(job: "Job", into: Workspace) -> "pd.DataFrame":
    tried = {k: job.counts[k] for k in ("downloaded", "known")}
    refused = sum(job.counts[k] for k in ("unreadable", "refused", "failed"))
    left = job.counts["parsed"] - refused - sum(tried.values())
    told = [f"{n} × {reason}" for reason, n in job.reasons.most_common()]
    if torn := _torn(job, into):
        told.append(f"{torn} × promised to another class as well, so it counts for none")
    if job.full:
        told.append(_FULL)
    return _row(engine=job.engine, query=job.wanted.query, label=job.label, pages=job.asked,
                parsed=job.counts["parsed"], refused=refused, left=left, bytes=job.total, why=", ".join(told),
                **tried)  # fmt: skip


def _torn(job: "Job", into: Workspace) -> int:
    """How many images of a job several classes were promised for."""
    with into.manifest() as manifest:
        said = manifest.read("sources")
    mine = said["sha256"][said["engine"].eq(job.engine) & said["query"].eq(job.wanted.query)].unique()
    labels = said[said["label"].ne("")].groupby("sha256")["label"].nunique()
    return int(labels.reindex(mine).gt(1).sum())


def _check(engine: str, limit: int, language: str | None, licence: str | None) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine: unknown name {engine!r}; known are {', '.join(ENGINES)}")
    if limit < 1:
        raise ValueError(f"limit: must be at least 1, got {limit}")
    if language and engine not in _LANGUAGES:
        raise ValueError(f"language: {engine} has no such filter; {', '.join(_LANGUAGES)} have")
    if licence and engine not in _FILTERS:
        raise ValueError(f"licence: {engine} has no such filter; {', '.join(_FILTERS)} have")
    if licence and licence not in LICENCES:
        raise ValueError(f"licence: unknown name {licence!r}; known are {', '.join(LICENCES)}")


def _listed(query: str | Path | Sequence[str]) -> tuple[str, ...]:
    """The addresses that a list, a text file or a single address means; raises ValueError where there is none."""
    if isinstance(query, str) and "://" in query:
        return (query,)
    lines: Iterable[str] = query if not isinstance(query, str | Path) else ()
    if isinstance(query, str | Path):
        try:
            lines = Path(query).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ValueError(f"urls: {query} is not UTF-8 text; save it so, with one address a line") from None
    found = tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))
    if not found:
        raise ValueError(f"urls: {query if isinstance(query, str | Path) else 'the list'} holds no address")
    return found


def _advice(engine: str, came: str) -> str:
    if "MASK_OFFLINE" in came:
        return "Unset MASK_OFFLINE to let it ask."
    if "no connection" in came or "no answer" in came:
        return "Check the network (or the proxy settings)."
    if "robots.txt" in came:
        return "The site asks programs to stay away: ask its owner for the photos."
    if "robot" in came or "HTTP 4" in came:
        return "The engine turns programs away for now: wait an hour, or ask less often (limits=Limits(delay=3))."
    return "Perhaps it changed its pages, or has nothing for this phrase: look at its page in a browser."
