"""One page to read: a self-contained HTML file with pictures, and the same figures as JSON beside it."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import images

__all__ = ["plain", "report"]

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem}img{max-width:100%;height:auto}
table{border-collapse:collapse;margin:.6rem 0}th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}.tell{color:#444}.scroll{overflow-x:auto}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}th,td{border-color:#444}.tell{color:#bbb}
img{background:#fff}}"""


def report(
    folder: str | Path,
    *,
    title: str,
    sections: Sequence[tuple[str, str, Any]],
    figures: Mapping[str, Any],
    name: str = "report",
) -> Path:
    """Write folder/NAME.html and NAME.json; returns the path of the page.

    sections: (heading, words, content); content is a DataFrame, an rgb picture, a figure of `plots`, a mapping of
    figures, a list of those, or None. The page needs no other file and no network. figures: what the JSON holds.
    """
    folder = Path(folder)
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, words, content in sections:
        parts.append(f"<section><h2>{html.escape(heading)}</h2><p class=tell>{html.escape(words)}</p>")
        parts += [_shown(item, heading) for item in (content if isinstance(content, list | tuple) else [content])]
        parts.append("</section>")
    head = '<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
    page = f"{head}<title>{html.escape(title)}</title><style>{STYLE}</style>\n" + "\n".join(parts) + "</html>\n"
    images.write(folder / f"{name}.json", json.dumps(plain(dict(figures)), indent=1))
    return images.write(folder / f"{name}.html", page)


def _shown(content: Any, heading: str) -> str:
    if content is None:
        return ""
    if isinstance(content, np.ndarray):
        return _picture(images.encode(content, ".jpg", quality=82), "jpeg", heading)
    if hasattr(content, "savefig"):
        from .. import plots

        return _picture(plots.png(content), "png", getattr(content, "alt", "") or heading)
    if isinstance(content, Mapping):
        rows = "".join(f"<tr><td>{html.escape(str(k))}<td>{html.escape(_word(v))}" for k, v in content.items())
        return f"<div class=scroll><table>{rows}</table></div>"
    if hasattr(content, "itertuples"):
        head = "".join(f"<th>{html.escape(str(c).replace('_', ' '))}" for c in content.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_word(v))}" for v in r) for r in content.itertuples(index=False)
        )
        return f"<div class=scroll><table><tr>{head}{rows}</table></div>"
    return f"<p>{html.escape(str(content))}</p>"


def _picture(data: bytes, kind: str, alt: str) -> str:
    return (
        f'<img alt="{html.escape(alt, quote=True)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
    )


def _word(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.3f}"
    return str(value)


def plain(value: Any) -> Any:
    """The value in JSON's own types; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "to_dict"):
        return plain(value.to_dict(orient="records"))
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
