"""What came in, to look at: a contact sheet with source marks, a table by engine, the steps of a funnel."""

from typing import TYPE_CHECKING

import numpy as np

from .. import images, plots
from ..batch import Skip
from ..workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["arrivals", "funnel", "report", "unreadable"]

# Colours of sources, apart from those of the classes (Okabe and Ito 2008).
_MARKS = ((86, 180, 233), (204, 121, 167), (0, 114, 178), (240, 228, 66), (213, 94, 0), (120, 120, 120))
_CAME = ("downloaded", "known")


def arrivals(into: Workspace, *, count: int = 28, columns: int = 7, side: int = 128) -> np.ndarray:
    """A contact sheet, rgb, of images as they came, spread over all; rim and caption tell the source and the rank."""
    with into.manifest() as manifest:
        photos, sources = manifest.photos(), manifest.read("sources").drop_duplicates("sha256")
    rows = photos.merge(sources[["sha256", "query", "engine", "rank"]], on="sha256", how="left").fillna({"query": ""})
    rows = rows.iloc[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(count, len(rows))).astype(int))]
    kinds = list(dict.fromkeys(zip(rows["engine"], rows["query"], strict=True)))
    marks = {kind: _MARKS[i % len(_MARKS)] for i, kind in enumerate(kinds)}
    pictures, words, rims = [], [], []
    for row in rows.itertuples():
        try:
            pictures.append(images.read(row.path, max_side=side))
        except (Skip, OSError):
            pictures.append(np.full((side, side, 3), 225, np.uint8))
        rank = "" if row.rank != row.rank or row.rank is None else f"#{int(row.rank)} "
        words.append(f"{rank}{row.query or row.label or row.engine}")
        rims.append(marks[row.engine, row.query])
    return plots.sheet(pictures, words, colours=rims, columns=columns, side=side)


def report(into: Workspace) -> "pd.DataFrame":
    """What all crawls and folders gave so far, by engine and query, from the manifest: the latest word on each result.

    Columns: engine, query, parsed, downloaded, known, unreadable, refused, failed, why.
    """
    import pandas as pd

    rows = []
    for (engine, query), part in _attempts(into).groupby(["engine", "query"], sort=False):
        count = part["outcome"].value_counts()
        told = part[~part["outcome"].isin(_CAME)]["reason"].str.split(" (", regex=False).str[0].value_counts()
        why = ", ".join(f"{n} × {reason}" for reason, n in told.items())
        outcomes = [int(count.get(o, 0)) for o in (*_CAME, "unreadable", "refused", "failed")]
        rows.append((engine, query, len(part), *outcomes, why))
    columns = ["engine", "query", "parsed", "downloaded", "known", "unreadable", "refused", "failed", "why"]
    return pd.DataFrame(rows, columns=columns)


def unreadable(into: Workspace) -> list[dict[str, str]]:
    """What came and was no whole image, as rows of item (its address) and reason, the latest word on each result."""
    tried = _attempts(into)
    bad = tried[tried["outcome"].eq("unreadable")].drop_duplicates("place")
    return [{"item": url, "reason": reason} for url, reason in zip(bad["url"], bad["reason"], strict=True)]


def funnel(into: Workspace) -> dict[str, int]:
    """How many are left after each step, from the manifest: results, files that came, and so on down.

    "distinct" counts what no decision of step "dedupe" sets aside, "worth keeping" what none of any step does.
    """
    tried = _attempts(into)
    with into.manifest() as manifest:
        photos, aside = manifest.photos(), manifest.standing("dedupe")
    copies = set(aside["sha256"][~aside["kept"]])
    return {
        "results parsed": len(tried),
        "files that came": int(tried["outcome"].isin([*_CAME, "unreadable"]).sum()),
        "readable": int(tried["outcome"].isin(_CAME).sum()),
        "distinct": int((~photos["sha256"].isin(copies)).sum()),
        "worth keeping": int(photos["kept"].sum()),
    }


def _attempts(into: Workspace) -> "pd.DataFrame":
    """The latest attempt on each result, whatever port a server on this machine had that day."""
    with into.manifest() as manifest:
        tried = manifest.read("attempts")
    place = tried["url"].str.replace(r"^http://127\.0\.0\.1(:\d+)?/", "http://127.0.0.1/", regex=True)
    return tried.assign(place=place).drop_duplicates(["place", "engine", "query"], keep="last")
