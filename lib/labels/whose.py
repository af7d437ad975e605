"""Whose word a file of labels is: what a person said stands over the machine's."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .columns import table
from .problems import FormatError
from .voc import parse, read_voc, voc_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["owner", "standing"]

log = logging.getLogger(__name__)


def owner(path: str | Path) -> str:
    """Whose word a VOC file is: "auto", "artificial", "manual", or "" where there is no file.

    Only a file that says so, and all of whose objects say so, is the machine's; one that cannot be read is a person's.
    """
    path = Path(path)
    if not path.is_file():
        return ""
    try:
        voc = parse(path)
    except (FormatError, OSError):
        return "manual"
    said = {voc.origin, *(row["origin"] for row in voc.rows)}
    alone = len(said) == 1 and not voc.verified and not voc.problems
    return voc.origin if alone and voc.origin in ("auto", "artificial") else "manual"


def standing(faces: "pd.DataFrame", into: str | Path, *, root: str | Path | None = None) -> "pd.DataFrame":
    """The table with what a person said meanwhile: faces of photos whose VOC file below `into` is his are read anew.

    A photo that he left without a face loses its rows. Of a file with bad objects the good ones count, and a file that
    cannot be read leaves the rows; both are logged.
    """
    parts: list[dict[str, Any]] = []
    for photo, rows in faces.groupby("image", sort=False):
        kept = rows.to_dict("records")
        path = voc_path(str(photo), into, root=root)
        if owner(path) == "manual":
            try:
                said = read_voc(path, image=str(photo), whole=False)
                about = {"source": rows["source"].iloc[0], "group": rows["group"].iloc[0]}
                kept = [{**row, **about} for row in said.to_dict("records")]
                for problem in said.attrs["problems"]:
                    log.warning("label left aside: %s", problem)
            except FormatError as trouble:
                log.warning("labels left as they were: %s", trouble)
        parts += kept
    result = table(parts)
    return table(result.reindex(columns=list(dict.fromkeys([*faces.columns, *result.columns]))))
