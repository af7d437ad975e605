"""One HTTP door for result pages and images: guarded, capped, patient and polite."""

import ipaddress
import socket
import threading
import time
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from icrawler.utils import ProxyPool
from icrawler.utils import Session as IcrawlerSession
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from .. import assets
from . import robots as rules
from .limits import Limits, NotTaken

__all__ = ["Answer", "Session"]

HOPS = 5  # redirects that are followed
CHUNK = 1 << 16
_NO_AI = {"noai", "noimageai", "noindex", "noimageindex", "none"}  # as img2dataset reads X-Robots-Tag
_CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))  # of IPv4: NAT64, "compatible"
_INSIDE = ipaddress.IPv6Network("64:ff9b:1::/48")  # NAT64 of a network's own; older Pythons call it global
_open = threading.local()  # whether the request of this thread may reach a private address


@dataclass(frozen=True)
class Answer:
    """A whole answer: the address after redirects, status, headers, body."""

    url: str
    status: int
    headers: Any
    content: bytes = field(repr=False)

    @property
    def type(self) -> str:
        """Media type as the server names it, without parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class Session(IcrawlerSession):
    """icrawler's session, with our rules: who may be asked, how often, how long, and how much is read."""

    def __init__(self, limits: Limits, *, stop: threading.Event, robots: bool = False) -> None:
        super().__init__(ProxyPool())
        self.limits, self.stop = limits, stop
        self._robots: dict[str, rules.Robots | NotTaken] | None = {} if robots else None
        self._asking = threading.Lock()
        self.headers.update({"User-Agent": limits.user_agent, "Accept-Encoding": "identity"})
        self.mount("http://", _GuardedAdapter(pool_maxsize=16))
        self.mount("https://", _GuardedAdapter(pool_maxsize=16))
        self._free_at: dict[str, float] = {}
        self._pace = threading.Lock()

    def fetch(self, url: str, *, allow: Collection[str] = (), private: bool = False, image: bool = False) -> Answer:
        """Get one address, again after 429, 503, a timeout or a broken connection, and follow redirects.

        allow: hosts (with port) that may be private; private: any may. image: honour X-Robots-Tag, refuse an answer
        other than 200. Raises NotTaken.
        """
        for attempt in range(self.limits.retries + 1):
            last = attempt == self.limits.retries
            try:
                answer = self._follow(url, allow=allow, private=private, image=image)
            except (
                requests.Timeout,
                requests.ConnectionError,
                requests.exceptions.ChunkedEncodingError,
                HTTPError,
            ) as e:
                if last or self.stop.is_set():
                    raise NotTaken("failed", self._say(e)) from None
                self._rest(url, 2.0**attempt * min(1.0, self.limits.delay * 2))
                continue
            except (requests.RequestException, UnicodeError, ValueError) as e:
                raise NotTaken("failed", f"address cannot be asked ({type(e).__name__})") from None
            if answer.status in (429, 503) and not last and not self.stop.is_set():
                self._rest(url, self._asked_to_wait(answer, 2.0**attempt))
                continue
            if image and answer.status != 200:
                raise NotTaken("failed", f"HTTP {answer.status}")
            return answer
        raise NotTaken("failed", "stopped")

    def _follow(self, url: str, *, allow: Collection[str], private: bool, image: bool) -> Answer:
        for _ in range(HOPS + 1):
            opened = self._check(url, allow=allow, private=private)
            self._ask_leave(url, allow=allow, private=private)
            self._wait_turn(url)
            with _reach(opened):
                response = super().get(url, stream=True, allow_redirects=False, timeout=self.limits.timeout)
            with response:
                if not response.is_redirect:
                    return self._read(response, image=image)
                url = urljoin(url, response.headers["location"])
        raise NotTaken("failed", f"more than {HOPS} redirects")

    def _read(self, response: requests.Response, *, image: bool) -> Answer:
        if image and response.status_code == 200:
            _check_robots(response.headers.get("x-robots-tag", ""))
        cap, length = self.limits.bytes, response.headers.get("content-length", "")
        if length.isdigit() and int(length) > cap:
            raise NotTaken("refused", f"larger than {cap / 1e6:g} MB")
        content, until = bytearray(), time.monotonic() + self.limits.deadline
        for chunk in response.iter_content(CHUNK):
            content += chunk
            if len(content) > cap:
                raise NotTaken("refused", f"larger than {cap / 1e6:g} MB")
            if time.monotonic() > until:
                raise NotTaken("failed", f"not finished within {self.limits.deadline:g} s")
            if self.stop.is_set():
                raise NotTaken("failed", "stopped")
        return Answer(response.url, response.status_code, response.headers, bytes(content))

    def _ask_leave(self, url: str, *, allow: Collection[str], private: bool) -> None:
        """Raise NotTaken for an address that its site's robots.txt keeps from programs, where that is asked at all."""
        if self._robots is None or urlsplit(url).path == "/robots.txt":
            return
        place = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        with self._asking:
            if place not in self._robots:
                self._robots[place] = self._rules(f"{place}/robots.txt", allow=allow, private=private)
        said = self._robots[place]
        if isinstance(said, NotTaken):
            raise NotTaken(said.outcome, said.reason)
        if not said.allows(url):
            raise NotTaken("refused", "the site's robots.txt asks programs not to")

    def _rules(self, url: str, *, allow: Collection[str], private: bool) -> rules.Robots | NotTaken:
        """What a site's robots.txt says (RFC 9309): none there allows all, a server in trouble nothing for now."""
        try:
            answer = self.fetch(url, allow=allow, private=private)
        except NotTaken as trouble:
            return NotTaken(trouble.outcome, f"{trouble.reason}; asked for robots.txt")
        if answer.status >= 400:
            return rules.NOTHING if answer.status >= 500 or answer.status == 429 else rules.EVERYTHING
        return rules.parse(answer.content, self.limits.user_agent)

    def _check(self, url: str, *, allow: Collection[str], private: bool) -> bool:
        """Whether the address may be private; raises NotTaken where it must not be asked at all."""
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host:
            raise NotTaken("refused", "not an http address")
        if assets.offline() and not _is_loopback(host):
            raise NotTaken("failed", "MASK_OFFLINE is set: nothing outside this machine is asked")
        if private or parts.netloc in allow:
            return True
        proxied = requests.utils.get_environ_proxies(url).get(parts.scheme) is not None
        for address in [host] if proxied else _resolve(host):
            if _is_private(address):
                raise NotTaken("refused", f"a private or loopback address ({address})")
        return proxied  # a proxy's own address may be private

    def _wait_turn(self, url: str) -> None:
        """Sleep until it is polite to ask this host again."""
        host = urlsplit(url).hostname or ""
        delay = 0.0 if _is_loopback(host) else self.limits.delay
        if self._robots:
            said = self._robots.get(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}")
            delay = max(delay, min(said.delay, self.limits.wait)) if isinstance(said, rules.Robots) else delay
        with self._pace:
            turn = max(time.monotonic(), self._free_at.get(host, 0.0))
            self._free_at[host] = turn + delay
        self.stop.wait(max(0.0, turn - time.monotonic()))

    def _rest(self, url: str, seconds: float) -> None:
        """Leave a host alone for a while, in all threads."""
        host = urlsplit(url).hostname or ""
        with self._pace:
            self._free_at[host] = max(self._free_at.get(host, 0.0), time.monotonic() + seconds)

    def _asked_to_wait(self, answer: Answer, otherwise: float) -> float:
        said = answer.headers.get("retry-after", "")
        if said.isdigit():
            otherwise = float(said)
        elif said:
            try:
                otherwise = parsedate_to_datetime(said).timestamp() - time.time()
            except ValueError:
                pass
        return min(max(otherwise, 0.0), self.limits.wait)

    def _say(self, trouble: Exception) -> str:
        if isinstance(trouble, requests.Timeout) or "timed out" in str(trouble):
            return f"no answer within {self.limits.timeout:g} s"
        if isinstance(trouble, requests.exceptions.SSLError):
            return "certificate or TLS error"
        if isinstance(trouble, requests.exceptions.ChunkedEncodingError | HTTPError):
            return "connection broken before the end"
        return "no connection (host unknown, refused, or no network)"


@contextmanager
def _reach(private: bool) -> Iterator[None]:
    _open.private = private
    try:
        yield
    finally:
        _open.private = False


def _check_peer(connection: HTTPConnection, sock: socket.socket) -> socket.socket:
    """Refuse a connection whose other end turned out private: a name may answer differently the second time."""
    peer = sock.getpeername()[0]
    if not getattr(_open, "private", False) and _is_private(peer):
        sock.close()
        raise NotTaken("refused", f"a private or loopback address ({peer})")
    return sock


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _check_peer(self, super()._new_conn())


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _check_peer(self, super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}


def _resolve(host: str) -> list[str]:
    try:
        return [str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise NotTaken("failed", "no connection (host unknown, refused, or no network)") from None


def _is_private(address: str) -> bool:
    """Whether an address, or a name that a proxy will look up, lies inside; old spellings of IPv4 are understood."""
    plain = unicodedata.normalize("NFKC", address).replace("\u3002", ".").lower().split("%")[0].rstrip(".")
    if plain == "localhost" or plain.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        ip = ipaddress.ip_address(plain)
    except ValueError:
        try:
            ip = ipaddress.IPv4Address(socket.inet_aton(plain))  # 127.1, 2130706433, 0x7f.1
        except (OSError, UnicodeError, ValueError):
            return False  # a name, asked through a proxy
    inner = _inner(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    ip = inner or ip
    return ip.is_multicast or not ip.is_global or ip in _INSIDE


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, NAT64 or the old "compatible" form."""
    if any(ip in net for net in _CARRIERS):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_robots(header: str) -> None:
    """Refuse what the owner does not want collected; "somebot: noai" counts only for the bot it names."""
    for said in header.lower().split(","):
        agent, _, words = said.rpartition(":")
        if words.strip() in _NO_AI and agent.strip() in ("", "*", "face-mask-workbench"):
            raise NotTaken("refused", f"the owner asks not to (X-Robots-Tag: {words.strip()})")
