"""A small picture gallery on this machine's loopback: something to crawl offline, with duplicates whose truth is known.

Photos of two queries, each several times as re-encoded, resized, slightly cropped or mirrored copies, some broken
files, some pictures without a face, some that are of no use: too small, blurred, dark, light, flat, banners. No photo
of a real person is in it.
"""

import html
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
import numpy as np

from .. import batch, classes, files, images
from ..workspace import Workspace
from . import scene
from .photos import plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QUERIES", "Gallery", "fill", "gallery"]

WITH, WITHOUT, WRONG = classes.NAMES
QUERIES = {"people wearing face masks": WITH, "bare faces": WITHOUT}
SPOILT = ("tiny", "blurred", "dark", "light", "flat", "odd aspect")  # as dedupe's screening calls them
COPIES = ("re-encoded", "resized", "cropped", "mirrored")
PER_PAGE = 20
PORT = 48_151  # asked for first, so that a second run meets the addresses that it knows
VERSION = 5  # of the pictures; a folder of another version is made anew
INDEX = "gallery.json"
LICENCE = "drawn by lib.sample; free for any use"


class Gallery:
    """A running gallery: `url` of its start page, `truth` (one row a file), `queries`; stops when the block ends.

    truth: path, query, label, original (the name it is a copy of), how (original, re-encoded, resized, cropped,
    mirrored, broken, no face, or one of SPOILT), people (seeds), sha256.
    """

    def __init__(self, folder: Path, rows: list[dict[str, Any]], *, port: int = PORT) -> None:
        self.folder, self.queries = folder, dict(QUERIES)
        self._rows = rows
        self._server = _server(_handler(folder, rows), port)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The start page, as http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def truth(self) -> "pd.DataFrame":
        """What every file in the gallery really is."""
        import pandas as pd

        return pd.DataFrame(self._rows)

    def __enter__(self) -> "Gallery":
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _server(handler: type[BaseHTTPRequestHandler], port: int) -> ThreadingHTTPServer:
    """A server on this machine's loopback alone, at the port wished for or, where that is taken, at a free one."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return ThreadingHTTPServer(("127.0.0.1", 0), handler)


def gallery(
    folder: str | Path,
    *,
    count: int = 48,
    seed: int = 0,
    port: int = PORT,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Gallery:
    """Make a gallery of so many different photos (and their copies) in a folder, and serve it while a `with` lasts.

    Half of the photos answer "people wearing face masks", half "bare faces" (`QUERIES`). Results pages are at
    /search?q=…&page=N, files at /image/NAME, the page that shows one at /page/NAME. What is in the folder already is
    served as it is. port: where it is served if nobody else is there, else at a free one; 0 takes any free one.
    """
    folder = Path(folder)
    return Gallery(folder, _made(folder, count=count, seed=seed, executor=executor, progress=progress), port=port)


def _made(
    folder: Path,
    *,
    count: int,
    seed: int,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> list[dict[str, Any]]:
    made_of = {"version": VERSION, "count": count, "seed": seed}
    index = folder / INDEX
    if index.is_file():
        known = json.loads(index.read_text(encoding="utf-8"))
        if known["made_of"] == made_of and all((folder / row["name"]).is_file() for row in known["rows"]):
            return known["rows"]
    total = count + _without_face(count) + len(SPOILT) * max(1, count // 24)
    jobs = [(str(folder), i, count, seed) for i in range(total)]
    batches, skipped = batch.run(_write, jobs, executor=executor, progress=progress)
    if skipped:
        raise OSError(f"gallery: {folder} cannot be written ({skipped[0]['reason']})")
    rows = [row for rows in batches for row in rows]
    order = np.random.default_rng([31, seed]).permutation(len(rows))
    rows = [rows[i] for i in order]
    files.write(index, json.dumps({"made_of": made_of, "rows": rows}, indent=0))
    return rows


def _write(job: tuple[str, int, int, int]) -> list[dict[str, Any]]:
    """One photo with its copies, or (past count) a picture without a face and a broken file, or a spoilt photo."""
    folder, i, count, seed = job
    rng = np.random.default_rng([37, seed, i])
    query = list(QUERIES)[i % len(QUERIES)]
    rng.integers(1 << 40)  # once the name; without this draw all copies would be others
    name = _name(i, count, seed)
    spoilt = i - count - _without_face(count)
    if i >= count and spoilt < 0:
        return _others(Path(folder), name, query, rng)
    shot = plan(i, seed=seed + 1000, label=QUERIES[query])
    seeds = [face.person for face in shot.faces]
    if spoilt >= 0:
        how = SPOILT[spoilt % len(SPOILT)]
        content = images.encode(_spoil(shot.rgb, how), ".jpg", quality=85)
        return [_kept(Path(folder), f"{name}.jpg", content, query, f"{name}.jpg", how, seeds)]
    stored = images.encode(shot.rgb, ".jpg", quality=shot.quality)
    rows = [_kept(Path(folder), f"{name}.jpg", stored, query, f"{name}.jpg", "original", seeds)]
    often = 1 + int(rng.integers(3)) if rng.random() < 0.75 else 0
    decoded = images.read(stored)
    for how in rng.permutation(COPIES)[:often]:
        copy = _copy(decoded, str(how), rng)
        rows.append(_kept(Path(folder), f"{name}-{how[:3]}.jpg", copy, query, f"{name}.jpg", str(how), seeds))
    return rows


def _without_face(count: int) -> int:
    return max(2, count // 8)


def _spoil(rgb: np.ndarray, how: str) -> np.ndarray:
    """A photo made useless in one way: a thumbnail, out of focus, at night, overexposed, in fog, a banner."""
    h, w = rgb.shape[:2]
    if how == "tiny":
        return images.resize(rgb, 28)
    if how == "blurred":
        return cv2.GaussianBlur(rgb, (0, 0), max(h, w) / 30)
    if how == "odd aspect":
        band = max(8, w // 5)
        return np.ascontiguousarray(rgb[(h - band) // 3 :][:band])
    values = rgb / 255.0
    mean = values.mean()
    changed = {"dark": values**2 * (0.09 / max(float((values**2).mean()), 1e-6)),
               "light": 1 - (1 - values) * (0.05 / max(1 - mean, 1e-6)),
               "flat": 0.5 + (values - mean) * 0.12}[how]  # fmt: skip
    return (changed * 255).clip(0, 255).round().astype(np.uint8)


def _name(i: int, count: int, seed: int) -> str:
    """A name that no other picture has, of this or another gallery: an address may be remembered."""
    made_of = (VERSION, seed, i) if i < count else (VERSION, seed, i, count)
    return f"img-{files.sha256(repr(made_of).encode())[:10]}"


def _copy(rgb: np.ndarray, how: str, rng: np.random.Generator) -> bytes:
    h, w = rgb.shape[:2]
    if how == "resized":
        scale = rng.uniform(0.5, 0.8)
        rgb = cv2.resize(rgb, (round(w * scale), round(h * scale)), interpolation=cv2.INTER_AREA)
    if how == "cropped":
        left, top, right, bottom = (int(rng.uniform(0.01, 0.05) * side) for side in (w, h, w, h))
        rgb = rgb[top : h - bottom, left : w - right]
    if how == "mirrored":
        rgb = rgb[:, ::-1]
    return images.encode(np.ascontiguousarray(rgb), ".jpg", quality=int(rng.integers(55, 75)))


def _others(folder: Path, name: str, query: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    size = int(rng.choice([320, 480])), 320
    picture = images.encode(scene.landscape(size, rng=rng), ".jpg", quality=85)
    page = b"<!doctype html><title>Moved</title><p>This picture has moved. Please log in.</p>"
    broken = [picture[: len(picture) // 3], page, b"", b"\xff\xd8\xff\xe0" + rng.bytes(900)][int(rng.integers(4))]
    return [
        _kept(folder, f"{name}.jpg", picture, query, f"{name}.jpg", "no face", []),
        _kept(folder, f"{name}-x.jpg", broken, query, f"{name}-x.jpg", "broken", []),
    ]


def _kept(
    folder: Path, name: str, content: bytes, query: str, original: str, how: str, people: list[int]
) -> dict[str, Any]:
    files.write(folder / name, content)
    label = QUERIES[query] if people else ""
    return {
        "path": f"/image/{name}", "name": name, "query": query, "label": label, "original": original, "how": how,
        "people": people, "sha256": files.sha256(content),
    }  # fmt: skip


def _asked(query: str) -> str | None:
    """Which of our queries a search means; None: nothing is found for it."""
    words = query.lower()
    if any(word in words for word in ("bare", "without", "no mask", "unmasked")):
        return "bare faces"
    return "people wearing face masks" if "mask" in words else None


def _handler(folder: Path, rows: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    by_name = {row["name"]: row for row in rows}

    class Handler(BaseHTTPRequestHandler):
        """Answers /, /search, /page/NAME and /image/NAME."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one request."""
            address = urlsplit(self.path)
            room, _, name = unquote(address.path).strip("/").partition("/")
            if room == "image" and name in by_name:
                content = (folder / name).read_bytes()
                kind = "text/html; charset=utf-8" if content.startswith(b"<!") else "image/jpeg"
                return self._answer(content, kind)
            if room == "page" and f"{name}.jpg" in by_name:
                return self._answer(_picture_page(by_name[f"{name}.jpg"]).encode())
            if room == "search":
                asked = {k: v[0] for k, v in parse_qs(address.query).items()}
                page = asked.get("page", "1")
                return self._answer(_results(rows, asked.get("q", ""), int(page) if page.isdigit() else 1).encode())
            if not room:
                return self._answer(_results(rows, "", 1).encode())
            return self._answer(b"Not found", "text/plain", status=404)

        def _answer(self, content: bytes, kind: str = "text/html; charset=utf-8", *, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *about: object) -> None:
            """Say nothing: a notebook is no place for an access log."""

    return Handler


def _results(rows: list[dict[str, Any]], query: str, page: int) -> str:
    """A results page; page counts from 1, a page past the end has no results."""
    asked = _asked(query)
    found = [row for row in rows if row["query"] == asked]
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE] if page > 0 else []
    items = "\n".join(
        f'<a class="result" href="{row["path"]}" data-page="/page/{row["name"].removesuffix(".jpg")}">'
        f'<img src="{row["path"]}" alt="" loading="lazy" width="160"></a>'
        for row in shown
    )
    word = html.escape(query, quote=True)
    base = f"/search?q={word.replace(' ', '+')}&amp;page="
    pages = range(1, -(-len(found) // PER_PAGE) + 1)
    links = " ".join(f'<a class="{"next" if n == page + 1 else "other"}" href="{base}{n}">{n}</a>' for n in pages)
    tries = ", ".join(f'<a href="/search?q={q.replace(" ", "+")}">{q}</a>' for q in QUERIES)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Sample gallery</title>"
        "<style>body{font:16px sans-serif;margin:2rem} img{border-radius:6px;margin:3px}</style>"
        f"<h1>Sample gallery</h1><form action='/search'><input name='q' value=\"{word}\"><button>Search</button></form>"
        f"<p>{len(found)} results. Try {tries}. All people here are drawn.</p>\n{items}\n<p>{links}</p></html>"
    )


def _picture_page(row: dict[str, Any]) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{row['name']}</title>"
        f"<img src='{row['path']}' alt=''><p>Licence: {LICENCE}</p></html>"
    )


def fill(
    work: Workspace,
    *,
    count: int = 48,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> None:
    """Fill an empty workspace as notebook 01 would leave it; one that holds images already stays as it is.

    The gallery's files lie in raw under the names of their hashes, the manifest knows where they came from and what
    their query promised, copies are set aside in favour of the originals, spoilt photos too, broken files are refused.
    """
    with work.manifest() as manifest:
        if len(manifest.read("images")):
            return
        folder = work.root / "gallery"
        decisions, bad = [], []
        for rank, row in enumerate(_made(folder, count=count, seed=seed, executor=executor, progress=progress)):
            url, about = f"http://127.0.0.1{row['path']}", {"query": row["query"], "engine": "gallery"}
            if row["how"] == "broken":
                manifest.add_attempt(url, "refused", reason="not an image, or cut short", **about)
                continue
            content = (folder / row["name"]).read_bytes()
            path = files.write(work.raw / f"{row['sha256']}.jpg", content)
            w, h = images.size(path)
            manifest.add_image(row["sha256"], path, bytes=len(content), width=w, height=h)
            manifest.add_source(
                row["sha256"], url, label=QUERIES[row["query"]], rank=rank, http_type="image/jpeg", licence=LICENCE,
                page=f"http://127.0.0.1/page/{row['name'].removesuffix('.jpg')}", **about)  # fmt: skip
            manifest.add_attempt(url, "downloaded", **about)
            if row["how"] in SPOILT:
                bad.append((row["sha256"], False, f"{row['how']}: drawn so"))
                continue
            kept = row["how"] in ("original", "no face")
            decisions.append((row["sha256"], kept, "kept" if kept else f"{row['how']} copy of {row['original']}"))
        manifest.decide("dedupe", decisions)
        manifest.decide("screen", bad)
