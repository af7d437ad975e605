"""What each engine's result pages are called and how they are read; icrawler's filters and decoders where they work.

A page function yields the addresses of result pages, a parse function turns one page into results. Nothing here asks
the network, so that a stored page is enough to test a parser.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from bs4 import BeautifulSoup
from icrawler.builtin.baidu import BaiduParser
from icrawler.builtin.bing import BingFeeder
from icrawler.builtin.google import GoogleFeeder

from .. import images

__all__ = ["ENGINES", "Engine", "Result", "Wanted"]

STEP = {"bing": 35, "google": 100, "baidu": 30, "flickr": 100}  # results a page
_JSON_STRING = r'"((?:[^"\\]|\\.)*)"'
_FLICKR_SIZES = ("url_o", "url_k", "url_h", "url_l", "url_c", "url_z")
_FLICKR_LICENCES = {  # flickr.photos.licenses.getInfo
    "0": "all rights reserved", "1": "CC BY-NC-SA 2.0", "2": "CC BY-NC 2.0", "3": "CC BY-NC-ND 2.0", "4": "CC BY 2.0",
    "5": "CC BY-SA 2.0", "6": "CC BY-ND 2.0", "7": "no known restrictions", "8": "US government work", "9": "CC0 1.0",
    "10": "public domain mark",
}  # fmt: skip
_FLICKR_FILTERS = {
    "creativecommons": "1,2,3,4,5,6,9,10",
    "publicdomain": "7,8,9,10",
    "commercial": "4,5,6,7,8,9,10",
    "noncommercial": "1,2,3,4,5,6,7,8,9,10",
}


@dataclass(frozen=True)
class Wanted:
    """What is asked of an engine."""

    query: str
    address: str | None = None
    language: str | None = None
    licence: str | None = None
    listed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One image that a page names: its address, the page it belongs to, its licence where the engine tells."""

    url: str
    page: str = ""
    licence: str | None = None


Parsed = tuple[list[Result], list[str]]  # images, further pages


@dataclass(frozen=True)
class Engine:
    """How one engine is asked and read.

    follows: pages name further pages of the same site. direct: what `pages` yields are the images themselves.
    """

    pages: Callable[[Wanted], Iterator[str]]
    parse: Callable[[bytes, str], Parsed]
    follows: bool = False
    direct: bool = False


def _bing_pages(wanted: Wanted) -> Iterator[str]:
    base = wanted.address or "https://www.bing.com/images/async"
    more = {"setlang": wanted.language} if wanted.language else {}
    if wanted.licence:
        more["qft"] = BingFeeder.get_filter(None).apply({"license": wanted.licence})
    for first in range(0, 1000, STEP["bing"]):
        yield f"{base}?{urlencode({'q': wanted.query, 'first': first, 'count': STEP['bing'], **more})}"


def _parse_bing(content: bytes, url: str) -> Parsed:
    found = []
    for tag in _soup(content).find_all(True, m=True):
        try:
            said = json.loads(str(tag["m"]))
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("murl"):
            found.append(Result(said["murl"], said.get("purl", "")))
    if not found:  # the attribute was renamed or moved into a script: the key is the last thing to go
        text = content.decode("utf-8", "replace").replace("&quot;", '"')
        found = [Result(_unquote(m)) for m in re.findall(r'"murl"\s*:\s*' + _JSON_STRING, text)]
    return found, []


def _google_pages(wanted: Wanted) -> Iterator[str]:
    base = wanted.address or "https://www.google.com/search"
    tbs = GoogleFeeder.get_filter(None).apply({"license": wanted.licence}, sep=",") if wanted.licence else ""
    more = {"lr": f"lang_{wanted.language}", "hl": wanted.language} if wanted.language else {}
    for start in range(0, 1000, STEP["google"]):
        asked = {"q": wanted.query, "udm": 2, "tbm": "isch", "ijn": start // STEP["google"], "start": start, "tbs": tbs}
        yield f"{base}?{urlencode(asked | more)}"


def _parse_google(content: bytes, url: str) -> Parsed:
    text = content.decode("utf-8", "replace")
    triples = re.findall(rf"\[\s*{_JSON_STRING}\s*,\s*\d+\s*,\s*\d+\s*\]", text)
    found = [Result(_unquote(address)) for address in triples]
    for tag in _soup(content).find_all("a", href=re.compile(r"imgurl=")):
        asked = parse_qs(urlsplit(str(tag["href"])).query)
        found.append(Result(asked["imgurl"][0], asked.get("imgrefurl", [""])[0]))
    thumbnails = re.compile(r"^https?://[^/]*\.gstatic\.com/")
    return [r for r in found if r.url.startswith("http") and not thumbnails.match(r.url)], []


def _baidu_pages(wanted: Wanted) -> Iterator[str]:
    base = wanted.address or "https://image.baidu.com/search/acjson"
    for start in range(0, 1000, STEP["baidu"]):
        asked = {"tn": "resultjson_com", "ipn": "rj", "word": wanted.query, "queryWord": wanted.query}
        yield f"{base}?{urlencode(asked | {'pn': start, 'rn': STEP['baidu']})}"


def _parse_baidu(content: bytes, url: str) -> Parsed:
    said = json.loads(content.decode("utf-8", "replace").replace("\\'", "'"), strict=False)
    found = []
    for item in said.get("data") or []:
        original = item.get("objURL") or ""
        if original and not original.startswith("http"):
            original = BaiduParser._decode_url(None, original)
        address = original or item.get("hoverURL") or item.get("middleURL") or item.get("thumbURL")
        if address:
            found.append(Result(address, item.get("fromURLHost") or ""))
    return found, []


def _flickr_pages(wanted: Wanted) -> Iterator[str]:
    key = os.environ.get("FLICKR_APIKEY")
    if not key:
        raise ValueError("flickr: needs a key; get one at flickr.com/services/api and set FLICKR_APIKEY to it")
    base = wanted.address or "https://api.flickr.com/services/rest/"
    asked = {"method": "flickr.photos.search", "api_key": key, "format": "json", "nojsoncallback": 1}
    asked |= {"text": wanted.query, "media": "photos", "per_page": STEP["flickr"], "sort": "relevance"}
    asked["extras"] = ",".join((*_FLICKR_SIZES, "license"))
    if wanted.licence:
        asked["license"] = _FLICKR_FILTERS[wanted.licence]
    for page in range(1, 41):  # the interface answers the first 4,000
        yield f"{base}?{urlencode(asked | {'page': page})}"


def _parse_flickr(content: bytes, url: str) -> Parsed:
    said = json.loads(content)
    if said.get("stat") != "ok":
        raise ValueError(f"flickr says: {said.get('message', 'no')}")
    found = []
    for photo in said["photos"]["photo"]:
        address = next((photo[size] for size in _FLICKR_SIZES if photo.get(size)), None)
        if address:
            page = f"https://www.flickr.com/photos/{photo.get('owner', '')}/{photo.get('id', '')}"
            found.append(Result(address, page, _FLICKR_LICENCES.get(str(photo.get("license")))))
    return found, []


def _gallery_pages(wanted: Wanted) -> Iterator[str]:
    if not wanted.address:
        raise ValueError("gallery: needs address=, the results page to ask")
    base = wanted.address.rstrip("/")
    base = base if urlsplit(base).path.strip("/") else base + "/search"
    for page in range(1, 1000):
        yield f"{base}?{urlencode({'q': wanted.query, 'page': page})}"


def _parse_gallery(content: bytes, url: str) -> Parsed:
    tags = _soup(content).find_all("a", class_="result", href=True)
    return [Result(urljoin(url, str(t["href"])), urljoin(url, str(t.get("data-page") or url))) for t in tags], []


def _site_pages(wanted: Wanted) -> Iterator[str]:
    yield wanted.query if "://" in wanted.query else f"https://{wanted.query}"


def _parse_site(content: bytes, url: str) -> Parsed:
    """Every image that a page shows or links, and its links within the same host."""
    soup, found, further = _soup(content), [], []
    for tag in soup.find_all(["img", "source"]):
        largest = str(tag.get("srcset") or "").split(",")[-1].split()
        address = (largest or [str(tag.get("data-src") or tag.get("src") or "")])[0]
        if address and not address.startswith("data:"):
            found.append(Result(urljoin(url, address), url))
    for tag in soup.find_all("a", href=True):
        address = urljoin(url, str(tag["href"])).split("#")[0]
        suffix = "." + urlsplit(address).path.rpartition(".")[2].lower()
        if suffix in images.SUFFIXES:
            found.append(Result(address, url))
        elif urlsplit(address).netloc == urlsplit(url).netloc and suffix not in _NOT_PAGES:
            further.append(address)
    return found, further


_NOT_PAGES = {".pdf", ".zip", ".mp4", ".mp3", ".gz", ".exe", ".css", ".js", ".svg", ".ico"}


def _soup(content: bytes) -> BeautifulSoup:
    return BeautifulSoup(content.decode("utf-8", "replace"), "lxml")


def _unquote(text: str) -> str:
    try:
        return json.loads(f'"{text}"')
    except ValueError:
        return text


ENGINES = {
    "bing": Engine(_bing_pages, _parse_bing),
    "google": Engine(_google_pages, _parse_google),
    "baidu": Engine(_baidu_pages, _parse_baidu),
    "flickr": Engine(_flickr_pages, _parse_flickr),
    "gallery": Engine(_gallery_pages, _parse_gallery),
    "site": Engine(_site_pages, _parse_site, follows=True),
    "urls": Engine(lambda wanted: iter(wanted.listed), lambda content, url: ([Result(url)], []), direct=True),
}
