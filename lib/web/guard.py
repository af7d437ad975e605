"""Who may ask: known names of this machine, pages of our own, the password, a bearable rate; and what answers carry."""

import hmac
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Flask, Response, request

from .limits import Buckets, Limits, Refused

__all__ = ["HEADERS", "allowed_host", "guard", "own_page", "right_password"]

OPEN = frozenset({"/health"})  # answered without a password
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def guard(app: Flask, *, password: str, names: Collection[str], limits: Limits) -> None:
    """Let nothing in that should not be, and give every answer its headers."""
    known = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}
    calls, tries = Buckets(limits.rate, 2 * limits.rate), Buckets(1 / 6, limits.tries)

    @app.before_request
    def check() -> None:
        who = request.remote_addr or ""
        if not allowed_host(request.environ.get("HTTP_HOST", ""), known):
            raise Refused(421, "This server is not known by that name; start it with --name to allow it.")
        if not own_page():
            raise Refused(403, "Another site asked for this; only pages of this server may.")
        if not calls.take(who):
            raise Refused(429, "Too many requests; wait a second and try again.")
        if password and request.path not in OPEN:
            _check_password(password, tries, who)

    @app.after_request
    def add_headers(answer: Response) -> Response:
        given = {name for name in ("Content-Security-Policy",) if name in answer.headers}
        answer.headers.update({name: words for name, words in HEADERS.items() if name not in given})
        if not request.path.startswith(("/static/", "/app/")):
            answer.headers["Cache-Control"] = "no-store"
        return answer


def allowed_host(host: str, known: Collection[str]) -> bool:
    """Whether a Host header names this machine: a known name, or any address in digits.

    Digits are safe: a foreign site that lets its name point here (DNS rebinding) needs a name to do so.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return name in known if "[" not in host else False
    return True


def own_page() -> bool:
    """Whether a request comes from our page, an address bar, or a program that is no browser; links to / may too."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none") or (request.method == "GET" and request.path in ("/", "/app", "/app/"))
    origin = request.headers.get("Origin")  # what browsers without Sec-Fetch-* send with all that changes something
    return origin is None or urlsplit(origin).netloc == request.host


def right_password(password: str, header: str) -> bool:
    """Whether an Authorization header holds the password (of whichever user name)."""
    from werkzeug.datastructures import Authorization

    given = Authorization.from_header(header) if header else None
    said = given.password if given is not None and given.type == "basic" else None
    return said is not None and hmac.compare_digest(said.encode(), password.encode())


def _check_password(password: str, tries: Buckets, who: str) -> None:
    if not tries.take(who, 0):  # also for the right one, or guessing would go on at full speed
        raise Refused(429, "Too many wrong passwords; wait a minute.")
    header = request.headers.get("Authorization", "")
    if not right_password(password, header):
        if header:
            tries.take(who)
        raise Refused(401, "The password is missing or wrong.")
