"""The crawler against loopback servers that answer as engines and image hosts do, and as they should not."""

import contextlib
import dataclasses
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from lib import __main__ as main
from lib import crawl, images, labels, takedown
from lib.crawl import engines
from lib.crawl.robots import Robots, parse
from lib.workspace import Workspace

FAST = crawl.Limits(bytes=300_000, pixels=4_000_000, timeout=0.6, deadline=1.5, retries=1, wait=0.2, delay=0.0)


def picture(seed: int, *, suffix: str = ".jpg", size: tuple[int, int] = (60, 80)) -> bytes:
    rng = np.random.default_rng(seed)
    return images.encode(rng.integers(0, 255, (*size, 3), np.uint8), suffix)


def bomb() -> bytes:
    """A PNG of 100 kB that unpacks to 60,000 × 60,000 pixels."""
    header = b"\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00"
    body = zlib.compress(bytes(1_000_000))

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


class Host:
    """A server whose answers are given by path: bytes, (status, headers, bytes), or a function of the handler."""

    def __init__(self) -> None:
        self.answers: dict = {}
        self.hits: Counter[str] = Counter()
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                host.hits[parts.path] += 1
                self.asked = {k: v[0] for k, v in parse_qs(parts.query).items()}
                answer = host.answers.get(parts.path, (404, {}, b"none"))
                if callable(answer):
                    answer = answer(self)
                if answer is None:
                    return
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def gallery(self, names: list[str], *, a_page: int = 10) -> None:
        """Answer /search with results pages."""

        def page(handler) -> bytes:  # type: ignore[no-untyped-def]
            start = (int(handler.asked["page"]) - 1) * a_page
            links = (f'<a class="result" href="{n}" data-page="/photo{n}">x</a>' for n in names[start : start + a_page])
            return _html(links)

        self.answers["/search"] = page


def _html(links) -> bytes:  # type: ignore[no-untyped-def]
    return ("<html><body>" + "".join(links) + "</body></html>").encode()


@pytest.fixture
def host():
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()


@pytest.fixture
def work(tmp_path) -> Workspace:
    return Workspace(tmp_path / "work")


def attempts(work: Workspace) -> dict[str, tuple[str, str]]:
    """Last outcome and reason by path."""
    with work.manifest() as manifest:
        rows = manifest.read("attempts")
    return {urlsplit(r.url).path: (r.outcome, r.reason) for r in rows.itertuples()}


def take(host: Host, work: Workspace, **options):  # type: ignore[no-untyped-def]
    options = {"engine": "gallery", "address": host.url, "limits": FAST, **options}
    return crawl.crawl(options.pop("query", "people"), into=work, **options).iloc[0]


def test_a_gallery_is_crawled_page_by_page_and_named_by_content(host, work):
    names = [f"/image/{i}.jpg" for i in range(25)]
    host.gallery(names)
    host.answers |= {n: picture(i) for i, n in enumerate(names)}
    row = take(host, work, label="with_mask")
    assert (row.parsed, row.downloaded, row.known, row.refused, row.left, row.pages) == (25, 25, 0, 0, 0, 4)
    content = picture(3)
    path = work.raw / images.sha256(content)[:2] / f"{images.sha256(content)}.jpg"
    assert path.read_bytes() == content
    with work.manifest() as manifest:
        sources, kept = manifest.read("sources"), manifest.kept()
    assert len(kept) == 25 and set(kept.label) == {"with_mask"} and set(kept.width) == {80}
    third = sources[sources.sha256 == images.sha256(content)].iloc[0]
    assert third.page == f"{host.url}/photo/image/3.jpg" and third["rank"] == 4 and third.engine == "gallery"
    assert not [p for p in work.raw.rglob("*") if p.name.startswith(".part")]


def test_what_is_known_of_an_image_is_kept(host, work):
    content, before = picture(1), time.time()
    host.gallery(["/a.jpg"])
    host.answers["/a.jpg"] = (200, {"Content-Type": "Image/JPEG; charset=x"}, content)
    take(host, work, query="nurse", label="with_mask")
    with work.manifest() as manifest:
        image, source = manifest.read("images").iloc[0], manifest.read("sources").iloc[0]
    assert (image.sha256, image.bytes, image.width, image.height) == (images.sha256(content), len(content), 80, 60)
    assert image.file == f"raw/{image.sha256[:2]}/{image.sha256}.jpg" and before <= image.time <= time.time()
    told = source[["url", "page", "query", "engine", "label", "rank", "http_type"]].tolist()
    page = f"{host.url}/photo/a.jpg"
    assert told == [f"{host.url}/a.jpg", page, "nurse", "gallery", "with_mask", 1, "image/jpeg"]
    assert source.licence is None


def test_the_limit_holds_exactly_with_several_threads(host, work):
    names = [f"/image/{i}.jpg" for i in range(40)]
    host.gallery(names)
    host.answers |= {n: picture(i) for i, n in enumerate(names)}
    host.answers["/image/2.jpg"] = b"broken"
    row = take(host, work, limit=11)
    assert row.downloaded == 11 and row.left == row.parsed - 11 - row.refused
    assert len(list(work.raw.rglob("*.jpg"))) == 11


def test_a_second_run_fetches_no_image_again_and_a_second_query_adds_only_the_new(host, work):
    names = [f"/image/{i}.jpg" for i in range(8)]
    host.gallery(names[:6])
    host.answers |= {n: picture(i) for i, n in enumerate(names)}
    take(host, work)
    row = take(host, work)
    assert (row.known, row.downloaded) == (6, 0)
    host.gallery(names[4:])
    row = take(host, work, query="others")
    assert (row.known, row.downloaded) == (2, 2)
    assert all(host.hits[n] == 1 for n in names)
    with work.manifest() as manifest:
        sources = manifest.read("sources")
    shared = sources[sources.sha256 == images.sha256(picture(5))]
    assert sorted(shared["query"]) == ["others", "people"] and len(sources) == 6 + 4


def test_the_same_bytes_at_two_addresses_are_one_image_with_two_sources(host, work):
    host.gallery(["/a.jpg", "/b.jpg"])
    host.answers |= {"/a.jpg": picture(1), "/b.jpg": picture(1)}
    row = take(host, work)
    assert (row.downloaded, row.known) == (1, 1)
    with work.manifest() as manifest:
        assert len(manifest.read("images")) == 1 and len(manifest.read("sources")) == 2


def _drip(handler) -> None:  # type: ignore[no-untyped-def]
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        for _ in range(40):
            handler.wfile.write(b"x" * 10)
            handler.wfile.flush()
            time.sleep(0.1)


def _endless(handler) -> None:  # type: ignore[no-untyped-def]
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        for _ in range(100):
            handler.wfile.write(b"x" * 65536)


def _short(handler) -> None:  # type: ignore[no-untyped-def]
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(picture(1)[:1000])
    handler.close_connection = True


def test_every_kind_of_bad_answer_is_refused_with_its_reason(host, work):
    hang = threading.Event()
    bad = {
        "/none.jpg": ((404, {}, b"gone"), "failed", "HTTP 404"),
        "/html.jpg": ((200, {"Content-Type": "image/jpeg"}, b"<!DOCTYPE html><p>hello"), "unreadable", "web page"),
        "/text.jpg": (b"hello", "unreadable", "not an image"),
        "/empty.jpg": (b"", "unreadable", "not an image"),
        "/cut.jpg": (picture(1)[:-500], "unreadable", "cut short"),
        "/broken.jpg": (_short, "failed", "broken before the end"),
        "/bomb.png": (bomb(), "refused", "megapixels"),
        "/large.jpg": ((200, {"Content-Length": "900000"}, b"x"), "refused", "larger than 0.3 MB"),
        "/endless.jpg": (_endless, "refused", "larger than 0.3 MB"),
        "/slow.jpg": (_drip, "failed", "not finished within"),
        "/hang.jpg": (lambda handler: hang.wait(5) and None, "failed", "no answer within 0.6 s"),
        "/limit.jpg": ((429, {"Retry-After": "0"}, b""), "failed", "HTTP 429"),
        "/round.jpg": ((302, {"Location": "/round.jpg"}, b""), "failed", "redirects"),
        "/noai.jpg": ((200, {"X-Robots-Tag": "noai, noimageai"}, picture(2)), "refused", "asks not to"),
        "/noindex.jpg": ((200, {"X-Robots-Tag": "noindex"}, picture(2)), "refused", "asks not to"),
        "/file.jpg": ((302, {"Location": "file:///etc/hosts"}, b""), "refused", "not an http address"),
    }
    fine = {"/ok.jpg": picture(9), "/robots.jpg": (200, {"X-Robots-Tag": "otherbot: noai"}, picture(10))}
    host.gallery([*bad, *fine], a_page=50)
    host.answers |= {path: answer for path, (answer, _, _) in bad.items()} | fine
    row = take(host, work)
    hang.set()
    said = attempts(work)
    for path, (_, outcome, reason) in bad.items():
        assert said[path][0] == outcome and reason in said[path][1], (path, said[path])
    assert row.downloaded == len(fine) and row.refused == len(bad)
    assert "2 × larger than 0.3 MB" in row.why and len(list(work.raw.rglob("*.*"))) == len(fine)


def test_a_busy_server_is_asked_again_later(host, work):
    host.gallery(["/busy.jpg"])
    host.answers["/busy.jpg"] = lambda handler: (
        (429, {"Retry-After": "0"}, b"") if host.hits["/busy.jpg"] == 1 else picture(1)
    )
    assert take(host, work).downloaded == 1 and host.hits["/busy.jpg"] == 2


def test_what_failed_is_tried_again_but_what_was_unreadable_is_not(host, work):
    host.gallery(["/late.jpg", "/text.jpg"])
    host.answers["/text.jpg"] = b"hello"
    assert take(host, work).refused == 2
    host.answers["/late.jpg"] = picture(1)
    row = take(host, work)
    assert (row.downloaded, row.refused) == (1, 1) and host.hits["/text.jpg"] == 1


@pytest.mark.parametrize(
    "address",
    ["http://10.1.2.3/a.jpg", "http://169.254.169.254/latest/meta-data", "http://[::1]/a.jpg", "http://0.0.0.0/a.jpg",
     "http://[::ffff:127.0.0.1]/a.jpg", "http://[::127.0.0.1]/a.jpg", "http://[64:ff9b::7f00:1]/a.jpg",
     "http://[64:ff9b:1::1]/a.jpg", "http://[2002:7f00:1::]/a.jpg", "http://127.1/a.jpg", "http://2130706433/a.jpg",
     "http://localhost/a.jpg", "http://224.0.0.1/a.jpg"],
)  # fmt: skip
def test_private_addresses_are_refused(address, work, monkeypatch):
    monkeypatch.delenv("MASK_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    row = crawl.crawl([address], engine="urls", into=work, limits=FAST).iloc[0]
    assert row.downloaded == 0 and "private or loopback" in row.why


@pytest.mark.parametrize(
    ("name", "public"),
    [("127.1", False), ("2130706433", False), ("0x7f.1", False), ("0177.0.0.1", False), ("127.0.0.1.", False),
     ("localhost.", False), ("１２７.0.0.1", False), ("[64:ff9b::a00:1]", False), ("[::10.0.0.1]", False),
     ("[64:ff9b::5db8:d822]", True), ("1572395042", True), ("photos.example", True)],
)  # fmt: skip
def test_behind_a_proxy_private_addresses_are_refused_however_they_are_spelled(name, public, host, work, monkeypatch):
    for variable in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "MASK_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("http_proxy", host.url)
    host.answers["/a.jpg"] = picture(1)
    row = crawl.crawl([f"http://{name}/a.jpg"], engine="urls", into=work, limits=FAST).iloc[0]
    assert row.downloaded == int(public) and bool(host.hits) == public, row.why
    assert public or "private or loopback" in row.why


def test_a_redirect_to_a_private_address_is_refused_and_never_asked(host, work):
    inner = Host()
    try:
        inner.answers["/secret.jpg"] = picture(1)
        host.gallery(["/out.jpg", "/own.jpg"])
        host.answers |= {"/out.jpg": (302, {"Location": f"{inner.url}/secret.jpg"}, b""), "/own.jpg": picture(2)}
        row = take(host, work)
        assert row.downloaded == 1 and "private or loopback" in attempts(work)["/out.jpg"][1] and not inner.hits
        row = take(host, work, allow_private=True)
        assert row.downloaded == 1 and inner.hits["/secret.jpg"] == 1
    finally:
        inner.server.shutdown()
        inner.server.server_close()


def test_a_name_that_turns_private_after_the_check_is_refused_at_the_connection(host, work, monkeypatch):
    from lib.crawl import fetch

    monkeypatch.setattr(fetch, "_resolve", lambda name: ["93.184.216.34"])
    port = urlsplit(host.url).port
    host.answers["/a.jpg"] = picture(1)
    row = crawl.crawl([f"http://localhost:{port}/a.jpg"], engine="urls", into=work, limits=FAST).iloc[0]
    assert row.downloaded == 0 and "private or loopback" in row.why and not host.hits


def test_offline_nothing_outside_this_machine_is_asked(work):
    with pytest.raises(crawl.NothingParsed, match="Unset MASK_OFFLINE") as trouble:
        crawl.crawl("people", into=work, limits=FAST)
    assert trouble.value.engine == "bing" and "MASK_OFFLINE is set" in trouble.value.remarks[0]
    row = crawl.crawl(["http://example.org/a.jpg"], engine="urls", into=work, limits=FAST).iloc[0]
    assert "MASK_OFFLINE is set" in row.why


# ---------------------------------------------------------------------------------------------- engines


def bing(addresses: list[str]) -> bytes:
    said = (json.dumps({"murl": a, "purl": f"http://page/{i}", "turl": "http://t"}) for i, a in enumerate(addresses))
    tags = (f'<li><a class="iusc" m="{s.replace(chr(34), "&quot;")}"><img></a></li>' for s in said)
    return _html(tags)


def google(addresses: list[str]) -> bytes:
    escaped = [a.replace("=", "\\u003d") for a in addresses]
    small = "https://encrypted-tbn0.gstatic.com/images?q=tbn:"
    rows = (f'["{small}{i}",100,100],["{a}",600,800]' for i, a in enumerate(escaped))
    return f"<html><script>AF_initDataCallback({{key: 'ds:1', data:[{','.join(rows)}]}});</script></html>".encode()


def baidu(addresses: list[str]) -> bytes:
    return json.dumps({"data": [{"objURL": a, "fromURLHost": "page"} for a in addresses] + [{}]}).encode()


def flickr(addresses: list[str]) -> bytes:
    photos = [{"id": str(i), "owner": "me", "license": "4", "url_l": a} for i, a in enumerate(addresses)]
    return json.dumps({"stat": "ok", "photos": {"photo": [*photos, {"id": "9"}]}}).encode()


PAGES = {"bing": bing, "google": google, "baidu": baidu, "flickr": flickr}


@pytest.mark.parametrize("engine", PAGES)
def test_each_engine_reads_pages_as_it_answers_them(engine, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    names = ["/a.jpg", "/b.jpeg", "/c.png", "/d.webp", "/e"]  # icrawler's own Bing parser takes the first alone
    suffixes = [".jpg", ".jpg", ".png", ".webp", ".png"]
    host.answers |= {n: picture(i, suffix=s) for i, (n, s) in enumerate(zip(names, suffixes, strict=True))}
    addresses = [f"{host.url}{n}?w=1" for n in names]
    first = {"bing": ("first", "0"), "google": ("start", "0"), "baidu": ("pn", "0"), "flickr": ("page", "1")}[engine]
    host.answers["/results"] = lambda h: PAGES[engine](addresses if h.asked[first[0]] == first[1] else [])
    row = take(host, work, engine=engine, address=f"{host.url}/results", allow_private=True)
    assert (row.parsed, row.downloaded, row.pages) == (5, 5, 2), row.to_dict()
    assert sorted(p.suffix for p in work.raw.rglob("*.*")) == sorted(suffixes)
    if engine == "flickr":
        with work.manifest() as manifest:
            assert set(manifest.read("sources").licence) == {"CC BY 2.0"}


@pytest.mark.parametrize("engine", PAGES)
@pytest.mark.parametrize(
    "answer, said",
    [(b"", "0 bytes"), (b"<html>new look</html>", "21 bytes"), (b"{}", "bytes"), ((403, {}, b"no"), "HTTP 403"),
     (b"<html>solve this captcha</html>", "robot")],
)  # fmt: skip
def test_a_page_that_gives_nothing_raises_and_says_what_to_try(engine, answer, said, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    host.answers["/results"] = answer
    with pytest.raises(crawl.NothingParsed) as trouble:
        take(host, work, engine=engine, address=f"{host.url}/results")
    assert "engine='urls'" in str(trouble.value) and engine in str(trouble.value)
    assert said in str(trouble.value)


@pytest.mark.parametrize("engine", [*PAGES, "site"])
def test_an_engine_that_hangs_raises(engine, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    host.answers["/results"] = _drip
    named = (
        {"query": f"{host.url}/results", "address": None} if engine == "site" else {"address": f"{host.url}/results"}
    )
    with pytest.raises(crawl.NothingParsed, match="Check the network|not finished"):
        take(host, work, engine=engine, limits=dataclasses.replace(FAST, deadline=0.3), **named)


def asked_of(engine: str, host: Host, names: list[str], *, elsewhere: tuple[str, ...] = ()) -> dict:
    """How an engine is asked for images of this host (and of elsewhere); its results page is there for it."""
    addresses = [f"{host.url}{n}" for n in names] + list(elsewhere)
    first = {"bing": ("first", "0"), "google": ("start", "0"), "baidu": ("pn", "0"), "flickr": ("page", "1")}
    if engine == "urls":
        return {"engine": engine, "query": addresses, "address": None}
    if engine == "site":
        host.answers["/start"] = _html(f'<img src="{a}">' for a in addresses)
        return {"engine": engine, "query": f"{host.url}/start", "address": None}
    if engine == "gallery":
        host.gallery(addresses, a_page=50)
        return {"engine": engine}
    key, value = first[engine]
    host.answers["/results"] = lambda h: PAGES[engine](addresses if h.asked[key] == value else [])
    return {"engine": engine, "address": f"{host.url}/results"}


EVERY = [*PAGES, "gallery", "site", "urls"]


@pytest.mark.parametrize("engine", EVERY)
def test_every_engine_s_images_are_guarded_and_accounted_for(engine, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    hang = threading.Event()
    bad = {
        "/none.jpg": ((404, {}, b"gone"), "failed", "HTTP 404"),
        "/limit.jpg": ((429, {"Retry-After": "0"}, b""), "failed", "HTTP 429"),
        "/html.jpg": ((200, {"Content-Type": "image/jpeg"}, b"<!DOCTYPE html><p>hello"), "unreadable", "web page"),
        "/bomb.png": (bomb(), "refused", "megapixels"),
        "/endless.jpg": (_endless, "refused", "larger than 0.3 MB"),
        "/hang.jpg": (lambda handler: hang.wait(5) and None, "failed", "no answer within 0.6 s"),
    }
    host.answers |= {path: answer for path, (answer, _, _) in bad.items()}
    host.answers |= {"/ok.jpg": picture(9), "/moved.jpg": (301, {"Location": "/there.jpg"}, b"")}
    host.answers["/there.jpg"] = picture(10)
    row = take(host, work, **asked_of(engine, host, [*bad, "/ok.jpg", "/moved.jpg"]), allow_private=True)
    hang.set()
    said = attempts(work)
    for path, (_, outcome, reason) in bad.items():
        assert said[path][0] == outcome and reason in said[path][1], (path, said[path])
    assert (row.parsed, row.downloaded, row.refused, row.left) == (len(bad) + 2, 2, len(bad), 0)
    report = crawl.report(work).iloc[0]
    assert report.engine == engine and report[["unreadable", "refused", "failed"]].tolist() == [1, 2, 3]


@pytest.mark.parametrize("engine", EVERY)
def test_no_engine_leads_to_a_private_address(engine, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    inner = Host()
    try:
        inner.answers["/secret.jpg"] = picture(1)
        host.answers["/out.jpg"] = (302, {"Location": f"{inner.url}/secret.jpg"}, b"")
        wanted = asked_of(engine, host, ["/out.jpg"], elsewhere=(f"{inner.url}/secret.jpg",))
        row = take(host, work, **wanted)
        assert (row.downloaded, row.refused) == (0, 2) and row.why == "2 × a private or loopback address"
        assert not inner.hits and bool(host.hits["/out.jpg"]) == (engine == "gallery")
    finally:
        inner.server.shutdown()
        inner.server.server_close()


@pytest.mark.parametrize("engine", EVERY)
def test_every_engine_remembers_and_brings_nothing_twice(engine, host, work, monkeypatch):
    monkeypatch.setenv("FLICKR_APIKEY", "key")
    names = [f"/{i}.jpg" for i in range(4)]
    host.answers |= {n: picture(i) for i, n in enumerate(names)}
    take(host, work, **asked_of(engine, host, names[:3]), allow_private=True)
    wanted = {"query": "others"} | asked_of(engine, host, names[1:])
    if engine == "site":  # another page of it is another query
        host.answers["/other"] = host.answers["/start"]
        wanted["query"] = f"{host.url}/other"
    row = take(host, work, **wanted, allow_private=True)
    assert (row.downloaded, row.known) == (1, 2) and all(host.hits[n] == 1 for n in names)
    with work.manifest() as manifest:
        sources = manifest.read("sources")
    twice = sources[sources.sha256 == images.sha256(picture(2))]
    assert len(twice) == (1 if engine == "urls" else 2) and set(sources.engine) == {engine}
    host.gallery([f"{host.url}{names[2]}"])
    take(host, work)  # another engine is another source of the same picture
    with work.manifest() as manifest:
        assert manifest.read("sources").query("engine == 'gallery'").sha256.isin([images.sha256(picture(2))]).any()
    assert host.hits[names[2]] == 1


def test_bing_survives_a_renamed_attribute():
    found, _ = engines._parse_bing(b'<html><script>x={"murl":"http://a/b.webp?x=1\\u0026y=2"}</script>', "http://p")
    assert [r.url for r in found] == ["http://a/b.webp?x=1&y=2"]


def test_baidu_addresses_are_decoded():
    coded = "ippr_z2C$qAzdH3FAzdH3Fooo_z&e3Bv54AzdH3Fw3r2"
    found, _ = engines._parse_baidu(json.dumps({"data": [{"objURL": coded}]}).encode(), "http://p")
    assert found[0].url.startswith("http://www.")


def test_flickr_without_a_key_says_where_to_get_one(work, monkeypatch):
    monkeypatch.delenv("FLICKR_APIKEY", raising=False)
    with pytest.raises(ValueError, match="FLICKR_APIKEY"):
        crawl.crawl("people", engine="flickr", into=work)


def test_a_site_is_followed_within_its_host(host, work):
    host.answers["/"] = b'<img src="/a.jpg"><a href="/two.html">2</a><a href="http://elsewhere.example/x">x</a>'
    host.answers["/two.html"] = b'<img srcset="/s.jpg 100w, /b.png 900w"><a href="/">back</a><a href="c.jpg">c</a>'
    host.answers |= {"/a.jpg": picture(1), "/b.png": picture(2, suffix=".png"), "/c.jpg": picture(3)}
    row = take(host, work, query=host.url + "/", engine="site", address=None, allow_private=True)
    assert (row.parsed, row.downloaded) == (3, 3) and host.hits["/two.html"] == 1 and not host.hits["/s.jpg"]


def test_a_list_of_addresses_from_a_file(host, work, tmp_path):
    host.answers |= {f"/{i}.jpg": picture(i) for i in range(3)}
    lines = [f"{host.url}/{i}.jpg" for i in (0, 1, 1, 2)]
    (tmp_path / "list.txt").write_text("# mine\n" + "\n".join(lines) + "\n")
    row = take(host, work, query=tmp_path / "list.txt", engine="urls", address=None, allow_private=True)
    assert (row.parsed, row.downloaded, row.known) == (3, 3, 0)
    assert take(host, work, query=lines[0], engine="urls", address=None, allow_private=True).known == 1, "one address"


def test_a_list_may_begin_with_a_mark_of_windows_and_one_of_no_use_is_named(host, work, tmp_path):
    host.answers["/0.jpg"] = picture(0)
    marked, wide, empty = (tmp_path / name for name in ("marked.txt", "wide.txt", "empty.txt"))
    marked.write_bytes(f"\ufeff{host.url}/0.jpg\r\n  # mine\r\n".encode())
    wide.write_bytes(f"{host.url}/0.jpg".encode("utf-16"))
    empty.write_text("# none yet\n")
    how = {"engine": "urls", "address": None, "allow_private": True}
    row = take(host, work, query=marked, **how)
    assert (row.parsed, row.downloaded) == (1, 1)
    for query, said in ((wide, "wide.txt is not UTF-8"), (empty, "empty.txt holds no address"), ([], "no address")):
        with pytest.raises(ValueError, match=said):
            take(host, work, query=query, **how)


def test_several_queries_and_engines_give_a_row_each(host, work):
    host.gallery(["/a.jpg"])
    host.answers |= {"/a.jpg": picture(1)}
    asked = {"with_mask": ["mask", "masked"], "without_mask": ["face"]}
    report = crawl.crawl_all(asked, engines=("gallery", "bing"), into=work, address=host.url, limits=FAST)
    assert list(report.engine) == ["gallery", "bing"] * 3 and list(report.parsed) == [1, 0] * 3
    assert "HTTP 404" in report.why[1]
    torn = "1 × promised to another class as well, so it counts for none"
    assert report.why[0] == report.why[2] == "" and report.why[4] == torn
    with work.manifest() as manifest:
        assert manifest.kept().label.tolist() == [""], "two classes promise the same image"


@pytest.mark.parametrize(
    "options",
    [
        {"engine": "yahoo"},
        {"limit": 0},
        {"query": " "},
        {"licence": "mine", "engine": "bing"},
        {"language": "de", "engine": "baidu"},
        {"licence": "commercial", "engine": "baidu"},
        {"engine": "gallery", "address": None},
    ],
)
def test_options_that_cannot_be_are_named(options, host, work):
    with pytest.raises(ValueError, match=r"^(engine|query|limit|licence|language|gallery): "):
        take(host, work, **options)


def test_smaller_than_wanted_is_refused(host, work):
    host.gallery(["/a.jpg"])
    host.answers["/a.jpg"] = picture(1, size=(20, 90))
    assert "smaller than 30 pixels" in take(host, work, limits=crawl.Limits(side=30)).why


@pytest.mark.parametrize("engine", ["bing", "gallery", "urls"])
def test_a_killed_crawl_resumes_and_fetches_nothing_twice(engine, host, work):
    names = [f"/image/{i}.jpg" for i in range(30)]
    wanted = asked_of(engine, host, names) | {"allow_private": True}
    served: set[str] = set()
    slow = threading.Event()

    def image(handler):  # type: ignore[no-untyped-def]
        number = int(Path(handler.path).stem)
        if not slow.is_set():
            time.sleep(0.05)
        served.add(handler.path)
        return picture(number)

    host.answers |= {n: image for n in names}
    code = (
        "from lib import crawl; from lib.workspace import Workspace; import sys, json;"
        "crawl.crawl(**{'query': 'people', **json.loads(sys.argv[1])}, into=Workspace(sys.argv[2]))"
    )
    how = json.dumps({"address": host.url, **wanted})
    process = subprocess.Popen([sys.executable, "-c", code, how, str(work.root)])
    until = time.monotonic() + 20
    while len(served) < 8 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    slow.set()
    before = {p.name for p in work.raw.rglob("*.jpg")}
    with work.manifest() as manifest:
        remembered = set(manifest.read("images").sha256)
    assert 0 < len(remembered) < 30 and remembered <= {Path(n).stem for n in before}
    row = take(host, work, **wanted)
    assert row.known == len(remembered) and row.downloaded == 30 - len(remembered)
    twice = sum(hits - 1 for name, hits in host.hits.items() if name.startswith("/image/"))
    assert twice <= 4, "at most those in flight of four threads are asked for again"


def test_a_full_disk_ends_the_crawl_with_that_error(host, work, monkeypatch):
    def full(*arguments, **options):  # type: ignore[no-untyped-def]
        raise OSError(28, "No space left on device")

    host.gallery(["/a.jpg", "/b.jpg"])
    host.answers |= {"/a.jpg": picture(1), "/b.jpg": picture(2)}
    from lib.crawl import harvest

    monkeypatch.setattr(harvest.images, "write", full)
    with pytest.raises(OSError, match="No space left"):
        take(host, work)


def test_stopping_in_the_middle_leaves_a_whole_manifest(host, work):
    names = [f"/image/{i}.jpg" for i in range(30)]
    host.gallery(names)
    host.answers |= {n: (lambda h: time.sleep(0.02) or picture(int(Path(h.path).stem))) for n in names}

    def impatient(outcomes):  # type: ignore[no-untyped-def]
        for number, outcome in enumerate(outcomes):
            if number == 5:
                raise KeyboardInterrupt
            yield outcome

    with pytest.raises(KeyboardInterrupt):
        take(host, work, progress=impatient)
    assert not [t for t in threading.enumerate() if t.name.startswith(("downloader", "parser", "feeder"))]
    with work.manifest() as manifest:
        rows = manifest.read("images")
    assert len(rows) >= 5 and all((work.root / f).is_file() for f in rows.file)


# ---------------------------------------------------------------------------------------------- manners


def robots(text: str, *, agent: str = "Mozilla/5.0 (compatible; face-mask-workbench/0.1)") -> Robots:
    return parse(text.encode(), agent)


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a.jpg", True),
        ("User-agent: *\nDisallow: /", "/a.jpg", False),
        ("User-agent: *\nDisallow:", "/a.jpg", True),
        ("User-agent: *\nDisallow: /p\nAllow: /public", "/public/a.jpg", True),
        ("User-agent: *\nAllow: /public\nDisallow: /p", "/private.jpg", False),
        ("User-agent: *\nDisallow: /*.jpg$", "/x/a.jpg", False),
        ("User-agent: *\nDisallow: /*.jpg$", "/x/a.jpg?w=1", True),
        ("User-agent: *\nDisallow: /a%20b", "/a b/c.jpg", False),
        ("User-agent: *\nDisallow: /\nUser-agent: Face-Mask-Workbench\nDisallow: /x", "/a.jpg", True),
        ("User-agent: otherbot\nUser-agent: face-mask-workbench # us\nDisallow: /", "/a.jpg", False),
        ("User-agent: otherbot\nDisallow: /", "/a.jpg", True),
        ("Disallow: /", "/a.jpg", True),
        ("User-agent:\nDisallow: /", "/a.jpg", True),
        ("User-agent: *\nDisallow: /?q=", "/?q=1", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("\ufeffUser-agent: *\r\nDISALLOW : /x\r\n<html>", "/x", False),
    ],
)
def test_robots_are_read_as_the_standard_says(text, path, allowed):
    assert robots(text).allows(f"http://a.example{path}") is allowed


def test_of_several_delays_the_longest_counts_and_nonsense_is_none():
    assert robots("User-agent: *\nCrawl-delay: 2.5\nCrawl-delay: 1").delay == 2.5
    assert robots("User-agent: *\nCrawl-delay: inf").delay == robots("").delay == 0


def site(host: Host, work: Workspace, **options):  # type: ignore[no-untyped-def]
    return take(host, work, query=host.url + "/", engine="site", address=None, allow_private=True, **options)


def test_a_site_is_asked_for_its_rules_once_and_they_are_kept(host, work):
    host.answers["/robots.txt"] = b"User-agent: *\nDisallow: /private\nCrawl-delay: 0.15"
    host.answers["/"] = b'<img src="/a.jpg"><img src="/private/b.jpg"><a href="/private/two.html">2</a>'
    host.answers |= {"/a.jpg": picture(1), "/private/b.jpg": picture(2)}
    start = time.monotonic()
    row = site(host, work)
    assert (row.downloaded, row.refused) == (1, 1) and row.why == "1 × the site's robots.txt asks programs not to"
    assert host.hits["/robots.txt"] == 1 and not [p for p in host.hits if p.startswith("/private")]
    assert time.monotonic() - start > 0.15, "two requests after the rules, so many seconds apart"


def test_a_site_that_wants_no_programs_is_not_read(host, work):
    host.answers |= {"/robots.txt": b"User-agent: *\nDisallow: /", "/": b'<img src="/a.jpg">', "/a.jpg": picture(1)}
    with pytest.raises(crawl.NothingParsed, match="ask its owner"):
        site(host, work)
    assert set(host.hits) == {"/robots.txt"}


@pytest.mark.parametrize(("status", "came"), [(404, 1), (403, 1), (500, 0), (302, 0)])
def test_rules_that_are_not_there_allow_all_and_a_server_in_trouble_nothing(host, work, status, came):
    host.answers |= {
        "/robots.txt": (status, {"Location": "/robots.txt"}, b""),
        "/": b'<img src="/a.jpg">',
        "/a.jpg": picture(1),
    }
    try:
        assert site(host, work).downloaded == came
    except crawl.NothingParsed:
        assert not came and not host.hits["/a.jpg"]


def test_search_results_need_no_leave_of_robots(host, work):
    host.answers |= {"/robots.txt": b"User-agent: *\nDisallow: /", "/a.jpg": picture(1)}
    host.gallery(["/a.jpg"])
    assert take(host, work).downloaded == 1 and not host.hits["/robots.txt"]


def test_all_images_together_stay_below_the_cap(host, work):
    names = [f"/image/{i}.jpg" for i in range(20)]
    host.gallery(names)
    host.answers |= {n: picture(i, size=(100, 100)) for i, n in enumerate(names)}
    size = len(picture(0, size=(100, 100)))
    limits = dataclasses.replace(FAST, total=5 * size, threads=1)
    asked = {"with_mask": ["mask", "masked"], "without_mask": ["face"]}
    report = crawl.crawl_all(asked, engines=("gallery",), into=work, address=host.url, limits=limits, limit=4)
    assert report.downloaded.tolist()[0] == 4 and report.downloaded.sum() + report.known.sum() <= 4 + 4 + 4
    assert report["bytes"].sum() <= 6 * size and report["bytes"].sum() == sum(
        p.stat().st_size for p in work.raw.rglob("*.jpg")
    )
    report = crawl.crawl_all(
        {"": ["a", "b"]}, engines=("gallery",), into=Workspace(work.root / "new"), address=host.url, limits=limits
    )
    assert report.why.tolist() == ["ended at the cap on the bytes of all images"] * 2
    assert report.downloaded[1] == 0 and report.parsed[1] == 0


@pytest.mark.parametrize(
    "option",
    [{"side": 0}, {"total": 0}, {"delay": -1}, {"delay": float("nan")}, {"user_agent": "a\nb: c"}, {"threads": 0}],
)
def test_limits_that_cannot_be_are_named(option):
    with pytest.raises(ValueError, match=f"^{next(iter(option))}: "):
        crawl.Limits(**option)


def test_what_was_forgotten_does_not_come_back_by_address_bytes_or_redirect(host, work):
    host.gallery(["/a.jpg", "/other.jpg", "/moved.jpg", "/b.jpg"])
    host.answers |= {"/a.jpg": picture(1), "/other.jpg": picture(1), "/b.jpg": picture(2)}
    host.answers["/moved.jpg"] = (302, {"Location": "/a.jpg"}, b"")
    take(host, work)
    takedown.forget(f"{host.url}/a.jpg", work=work)
    hits = host.hits["/a.jpg"]
    host.answers["/later.jpg"] = picture(1)
    host.gallery(["/a.jpg", "/later.jpg", "/b.jpg"])
    row = take(host, work, query="others")
    assert (row.downloaded, row.known, row.refused) == (0, 1, 2) and row.why == "2 × forgotten at a person's wish"
    assert host.hits["/a.jpg"] == hits and host.hits["/later.jpg"] == 1 and len(list(work.raw.rglob("*.jpg"))) == 1


def test_what_was_forgotten_is_not_unpacked_from_a_zip_again(tmp_path, work):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("with_mask/a.jpg", picture(1))
    crawl.take_in(tmp_path / "photos.zip", into=work)
    table = takedown.forget(images.sha256(picture(1)), work=work)
    assert table["done"].all() and not list(work.raw.rglob("*.jpg")) and (tmp_path / "photos.zip").is_file()
    rows, skipped = crawl.take_in(tmp_path / "photos.zip", into=work)
    assert rows.empty and skipped[0]["reason"] == "forgotten at a person's wish" and not list(work.raw.rglob("*.jpg"))


def test_the_command_crawls_several_classes_and_engines_with_its_limits(host, work, capsys):
    agents = set()

    def seen(handler):  # type: ignore[no-untyped-def]
        agents.add(handler.headers["User-Agent"])
        return picture(1, suffix=".webp", size=(90, 90))

    host.answers |= {"/a.webp": seen, "/b.png": picture(2, suffix=".png", size=(90, 90)), "/s.png": picture(3)}
    asked: list[dict] = []

    def results(handler):  # type: ignore[no-untyped-def]
        asked.append(handler.asked)
        return (
            bing([f"{host.url}{n}?w=9" for n in ("/a.webp", "/b.png", "/s.png")])
            if handler.asked["first"] == "0"
            else b""
        )

    host.answers["/results"] = results
    code = main.start(["crawl", "with_mask=person in a mask", "Without Mask=face", "a=b", "--allow-private",
                       "--address", host.url + "/results", "--out", str(work.root), "--min-side", "70",
                       "--language", "de", "--licence", "commercial", "--delay", "0", "--total", "2", "--limit", "5",
                       "--user-agent", "me (me@example.org)"])  # fmt: skip
    said = capsys.readouterr().out
    assert code == 0 and len(said.split("\n\n")[0].splitlines()) == 4 and "smaller than 70 pixels" in said
    assert {a["q"] for a in asked} == {"person in a mask", "face", "a=b"} and {a["setlang"] for a in asked} == {"de"}
    assert all("license" in a["qft"] for a in asked) and agents == {"me (me@example.org)"}
    assert sorted(p.suffix for p in work.raw.rglob("*.*")) == [".png", ".webp"]
    with work.manifest() as manifest:
        labels = manifest.read("sources").groupby("query")["label"].first().to_dict()
    assert labels == {"person in a mask": "with_mask", "face": "without_mask", "a=b": ""}


def test_the_command_adds_up_by_engine_and_refuses_an_option_before_it_asks(host, work, capsys):
    host.gallery(["/a.jpg"])
    host.answers |= {"/a.jpg": picture(1)}
    how = ["--address", host.url, "--out", str(work.root), "--delay", "0"]
    assert main.start(["crawl", "x", "y", "--engine", "gallery", "--engine", "bing", *how]) == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert table[1].split()[:4] == ["gallery", "2", "1", "1"] and table[2].split()[:2] == ["bing", "0"]
    host.hits.clear()
    assert main.start(["crawl", "x", "--engine", "gallery", "--engine", "baidu", "--language", "de", *how]) == 2
    assert capsys.readouterr().err.startswith("language: ") and not host.hits
    assert main.start(["crawl", "x", "--total", "0", *how]) == 2


# ---------------------------------------------------------------------------------------------- folders


def fill(folder: Path) -> None:
    for name, seed in (("With Mask/a.jpg", 1), ("no_mask/deep/b.png", 2), ("loose.jpg", 3), ("No mask/again.jpg", 1)):
        images.write(folder / name, picture(seed, suffix=Path(name).suffix))
    (folder / "text.jpg").write_text("hello")
    images.write(folder / "cut.jpg", picture(5)[:-700])


def test_a_folder_is_remembered_where_it_lies(tmp_path, work):
    fill(tmp_path / "mine")
    before = {p: p.read_bytes() for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    rows, skipped = crawl.take_in(tmp_path / "mine", into=work)
    assert dict(zip([Path(f).name for f in rows.file], rows.label, strict=True)) == {
        "a.jpg": "with_mask", "b.png": "without_mask", "loose.jpg": "", "again.jpg": "without_mask",
    }  # fmt: skip
    assert sorted(Path(s["item"]).name for s in skipped) == ["a.jpg", "cut.jpg", "text.jpg"], (
        "a.jpg promises two classes"
    )
    assert {p: p.read_bytes() for p in (tmp_path / "mine").rglob("*") if p.is_file()} == before
    assert not work.raw.exists()
    with work.manifest() as manifest:
        kept = manifest.kept()
    assert len(kept) == 3 and all(Path(p).is_file() for p in kept.path)
    again, _ = crawl.take_in(tmp_path / "mine", into=work)
    assert not again.new.any() and rows.new.sum() == 3


@pytest.mark.parametrize("name", ["mask", "wrong", "No mask"])
def test_the_name_of_the_folder_itself_promises_nothing(name, tmp_path, work):
    images.write(tmp_path / name / "loose.jpg", picture(1))
    images.write(tmp_path / name / "without_mask" / "a.jpg", picture(2))
    rows, _ = crawl.take_in(tmp_path / name, into=work)
    assert dict(zip([Path(f).name for f in rows.file], rows.label, strict=True)) == {
        "loose.jpg": "", "a.jpg": "without_mask",
    }  # fmt: skip
    said, _ = labels.read_folder(tmp_path / name)
    assert dict(zip([Path(f).name for f in said.image], said.label, strict=True)) == {"a.jpg": "without_mask"}
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
        archive.writestr("loose.jpg", picture(3))
    assert list(crawl.take_in(tmp_path / f"{name}.zip", into=work)[0].label) == [""]


def test_photos_that_were_renamed_are_found_again(tmp_path, work):
    fill(tmp_path / "mine")
    crawl.take_in(tmp_path / "mine", into=work)
    (tmp_path / "mine" / "loose.jpg").rename(tmp_path / "mine" / "better name.jpg")
    (tmp_path / "mine" / "no_mask" / "deep" / "b.png").unlink()
    rows, _ = crawl.take_in(tmp_path / "mine", into=work)
    assert str(tmp_path / "mine" / "better name.jpg") in list(rows.image) and not rows.new.any()
    with work.manifest() as manifest:
        kept = manifest.kept()
    assert len(kept) == 2 and all(Path(p).is_file() for p in kept.path)


def taken(folder: Path, work: Workspace) -> tuple[dict[str, str], dict[str, str]]:
    """Label by file name of what is kept, and reason by name of what was said of the rest."""
    _, skipped = crawl.take_in(folder, into=work)
    with work.manifest() as manifest:
        kept = manifest.kept()
    return {Path(r.path).name: r.label for r in kept.itertuples()}, {Path(s["item"]).name: s["reason"] for s in skipped}


@pytest.mark.parametrize("zipped", [False, True])
def test_kinds_of_photos_that_are_not_read_are_named_with_what_to_do(tmp_path, work, zipped):
    heic = b"\0\0\0\x18ftypheic" + bytes(300)
    held = {"a.jpg": picture(1), "b.HEIC": heic, "c.dng": b"raw", "d.jpg": heic, "notes.txt": b"x"}
    for name, content in held.items():
        images.write(tmp_path / "mine" / name, content)
    folder = tmp_path / "mine"
    if zipped:
        folder = tmp_path / "mine.zip"
        with zipfile.ZipFile(folder, "w") as archive:
            for name in held:
                archive.write(tmp_path / "mine" / name, name)
    rows, skipped = crawl.take_in(folder, into=work)
    why = {s["item"].replace("!", "/").split("/")[-1]: s["reason"] for s in skipped}
    assert len(rows) == 1 and set(why) == {"b.HEIC", "c.dng", "d.jpg"}
    assert all("HEIC" in why[n] and "save it as JPEG" in why[n] for n in ("b.HEIC", "d.jpg")) and "raw" in why["c.dng"]
    assert crawl.report(work).unreadable.tolist() == [3]


def test_a_name_that_is_not_utf_8_is_named_and_the_rest_is_taken(tmp_path, work):
    mine = tmp_path / "mine"
    images.write(mine / "ä 日本.jpg", picture(1))
    (mine / os.fsdecode(b"f\xfcr.jpg")).write_bytes(picture(2))
    table, (bad,) = crawl.take_in(mine, into=work)
    assert len(table) == 1 and bad["item"].endswith("f\ufffdr.jpg") and "not written in UTF-8" in bad["reason"]


def test_a_folder_of_heic_alone_says_so(tmp_path, work):
    images.write(tmp_path / "mine" / "a.heic", b"x")
    with pytest.raises(ValueError, match="1 are there, but HEIC files are not read here; save it as JPEG"):
        crawl.take_in(tmp_path / "mine", into=work)


def test_avif_is_read(tmp_path, work):
    from PIL import Image

    Image.fromarray(images.read(picture(1))).save(tmp_path / "a.avif")
    rows, skipped = crawl.take_in(tmp_path, into=work)
    assert rows[["width", "height"]].values.tolist() == [[80, 60]] and not skipped


def test_a_picture_in_folders_of_two_classes_is_said_and_decided_by_moving_it(tmp_path, work):
    mine = tmp_path / "mine"
    for name in ("with_mask/a.jpg", "without_mask/a copy.jpg"):
        images.write(mine / name, picture(1))
    kept, why = taken(mine, work)
    assert list(kept.values()) == [""] and len(why) == 1
    assert "with_mask (a.jpg) and without_mask (a copy.jpg)" in next(iter(why.values()))
    with work.manifest() as manifest:
        assert sorted(manifest.read("sources").label) == ["with_mask", "without_mask"]
    (mine / "with_mask/a.jpg").unlink()
    assert taken(mine, work) == ({"a copy.jpg": "without_mask"}, {})
    (mine / "with_mask/b.jpg").write_bytes(picture(1))
    (mine / "without_mask/a copy.jpg").unlink()
    assert taken(mine, work) == ({"b.jpg": "with_mask"}, {}), "a person moved it to another class"


def test_a_photo_edited_in_place_is_one_photo_and_may_be_edited_back(tmp_path, work):
    mine = tmp_path / "mine"
    images.write(mine / "with_mask" / "a.jpg", picture(1))
    assert taken(mine, work) == ({"a.jpg": "with_mask"}, {})
    images.write(mine / "with_mask" / "a.jpg", picture(2))
    taken(mine, work)
    with work.manifest() as manifest:
        kept, said = manifest.kept(), manifest.standing("replaced")
        assert kept.sha256.tolist() == [images.sha256(picture(2))] and kept.label.tolist() == ["with_mask"]
        assert said.sha256.tolist() == [images.sha256(picture(1))] and "now holds" in said.reason[0]
    images.write(mine / "with_mask" / "a.jpg", picture(1))
    taken(mine, work)
    taken(mine, work)
    with work.manifest() as manifest:
        kept = manifest.kept()
        assert kept.sha256.tolist() == [images.sha256(picture(1))] and kept.label.tolist() == ["with_mask"]
        assert manifest.standing("replaced").sha256.tolist() == [images.sha256(picture(2))]


@pytest.mark.parametrize("other", ["0.jpg", "z.jpg"])
def test_an_edited_photo_whose_old_bytes_lie_elsewhere_is_found_there(tmp_path, work, other):
    mine = tmp_path / "mine"
    images.write(mine / "a.jpg", picture(1))
    taken(mine, work)
    images.write(mine / other, picture(1))
    images.write(mine / "a.jpg", picture(2))
    taken(mine, work)
    with work.manifest() as manifest:
        kept = {Path(r.path).name: r.sha256 for r in manifest.kept().itertuples()}
    assert kept == {"a.jpg": images.sha256(picture(2)), other: images.sha256(picture(1))}


def test_bombs_in_a_folder_or_a_zip_are_skipped_and_the_rest_is_taken(tmp_path, work):
    images.write(tmp_path / "mine" / "bomb.png", bomb())
    images.write(tmp_path / "mine" / "a.jpg", picture(1))
    rows, skipped = crawl.take_in(tmp_path / "mine", into=work)
    assert len(rows) == 1 and "pixels" in skipped[0]["reason"]
    with zipfile.ZipFile(tmp_path / "mine.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "mine" / "bomb.png", "bomb.png")
        archive.writestr("zeros.jpg", bytes(crawl.Limits().bytes + 1))
        archive.writestr("page.jpg", b"<!doctype html>")
        archive.writestr("b.jpg", picture(2))
    rows, skipped = crawl.take_in(tmp_path / "mine.zip", into=work)
    why = {s["item"].split("!")[-1]: s["reason"] for s in skipped}
    assert len(rows) == 1 and len(why) == 3 and "larger than 25 MB" in why["zeros.jpg"] and "pixels" in why["bomb.png"]
    assert len(list(work.raw.rglob("*.*"))) == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_a_killed_take_in_is_done_again_and_loses_nothing(tmp_path, work, zipped):
    mine = tmp_path / "mine"
    for i in range(12):
        images.write(mine / f"{i}.jpg", picture(i))
    if zipped:
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for path in images.find(mine):
                archive.write(path, path.name)
    folder = tmp_path / "mine.zip" if zipped else mine
    code = (
        "import os, signal, sys; from lib import crawl; from lib.workspace import Workspace\n"
        "def kill(items):\n"
        "    for i, item in enumerate(items):\n"
        "        yield item\n"
        "        i == 6 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "crawl.take_in(sys.argv[1], into=Workspace(sys.argv[2]), progress=kill)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(folder), str(work.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with work.manifest() as manifest:
        assert len(manifest.read("images")) < 12
    rows, skipped = crawl.take_in(folder, into=work)
    assert len(rows) == 12 and not skipped
    with work.manifest() as manifest:
        assert len(manifest.kept()) == 12
    assert len(list(work.raw.rglob("*.jpg"))) == 12 * zipped


def test_a_zip_is_unpacked_by_content_and_never_outside(tmp_path, work):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("with_mask/a.jpg", picture(1))
        archive.writestr("../../evil.jpg", picture(2))
        archive.writestr("notes.txt", "hello")
    (tmp_path / "photos.zip").write_bytes(buffer.getvalue())
    rows, skipped = crawl.take_in(tmp_path / "photos.zip", into=work)
    assert list(rows.label) == ["with_mask", ""] and not skipped
    assert len(list(work.raw.rglob("*.jpg"))) == 2 and not list(tmp_path.parent.glob("evil.jpg"))


def test_a_bad_member_of_a_zip_is_skipped_and_the_rest_is_taken(tmp_path, work):
    path = tmp_path / "photos.zip"
    names = ["good.jpg", "crc.jpg", "locked.jpg", "method.jpg", "stream.jpg", "cut.jpg", "last.jpg"]
    with zipfile.ZipFile(path, "w") as archive:
        for seed, name in enumerate(names):
            packed = zipfile.ZIP_DEFLATED if name == "stream.jpg" else zipfile.ZIP_STORED
            archive.writestr(name, picture(seed)[: -700 if name == "cut.jpg" else None], packed)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = {i.filename: i.header_offset for i in archive.infolist()}
    listed = {name: content.rindex(name.encode()) - 46 for name in names}  # in the directory at the end
    body = lambda name: at[name] + 30 + len(name)  # noqa: E731
    content[body("crc.jpg") + 900] ^= 0xFF
    content[body("stream.jpg") : body("stream.jpg") + 40] = b"\xff" * 40
    for name, offset, value in (("locked.jpg", 0, 1), ("method.jpg", 2, 99)):
        content[at[name] + 6 + offset] = content[listed[name] + 8 + offset] = value
    path.write_bytes(content)
    rows, skipped = crawl.take_in(path, into=work)
    assert [Path(f).name.split("!")[-1] for f in rows.file] == ["good.jpg", "last.jpg"]
    why = {s["item"].split("!")[-1]: s["reason"] for s in skipped}
    assert sorted(why) == sorted(set(names) - {"good.jpg", "last.jpg"})
    assert "checksum" in why["crc.jpg"] and "encrypted" in why["locked.jpg"]
    assert len(crawl.report(work)) and all(why.values())


def test_a_folder_without_photos_or_none_at_all(tmp_path, work):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no photos in"):
        crawl.take_in(tmp_path / "empty", into=work)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        crawl.take_in(tmp_path / "missing", into=work)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="neither a folder of photos nor a zip"):
        crawl.take_in(tmp_path / "a.txt", into=work)


def test_importing_the_room_is_cheap():
    code = "import sys, lib.crawl; print([m for m in ('icrawler', 'requests', 'pandas', 'bs4') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_report_the_funnel_and_the_sheet_tell_what_came(host, work):
    assert crawl.report(work).empty and set(crawl.funnel(work).values()) == {0} and crawl.arrivals(work).ndim == 3
    host.gallery(["/a.jpg", "/b.jpg", "/text.jpg", "/none.jpg"])
    host.answers |= {"/a.jpg": picture(1), "/b.jpg": picture(2), "/text.jpg": b"hello"}
    take(host, work)
    take(host, work)
    row = crawl.report(work).iloc[0]
    assert (row.parsed, row.downloaded, row.known, row.unreadable, row.failed) == (4, 0, 2, 1, 1)
    assert sorted(row.why.split(", ")) == ["1 × HTTP 404", "1 × not an image"]
    bad = crawl.unreadable(work)
    assert len(bad) == 1 and bad[0]["item"].endswith("/text.jpg") and bad[0]["reason"].startswith("not an image")
    with work.manifest() as manifest:
        manifest.decide("dedupe", [(images.sha256(picture(1)), False, "copy")])
    assert list(crawl.funnel(work).values()) == [4, 3, 2, 1, 1]
    assert crawl.arrivals(work, columns=2, side=90).shape == (18 + 90 + 8, 192, 3)
