"""The application behind waitress, with patience for slow clients and for many of them, but not without end."""

import contextlib
import copy
import json
import logging
import math
import signal
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import Error

from .guard import HEADERS, right_password
from .limits import Limits

__all__ = ["Server", "serve"]

log = logging.getLogger(__name__)

THREADS = 12
SMALL = 100_000  # bytes of a body that is always taken: without the password, so that the answer can be a clean 401

# What is refused before the application hears of it, in the form in which the application refuses.
_SENTENCES = {
    400: "This is no request that can be understood.",
    408: "The request came too slowly.",
    413: "That is larger than this server takes.",
    431: "The head of the request is too long.",
    501: "Requests are not taken in this encoding.",
    503: "Many are sending at once right now; try again in a moment.",
}


class _Refusal(Error):
    """An answer {"error": one sentence}, as waitress sends it by itself."""

    def __init__(self, code: int) -> None:
        self.code, self.reason = code, HTTPStatus(code).phrase
        super().__init__(_SENTENCES.get(code, f"{self.reason}."))

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        retry = {"Retry-After": "5"} if self.code == 503 else {}
        headers = {**HEADERS, "Cache-Control": "no-store", "Content-Type": "application/json", **retry}
        return f"{self.code} {self.reason}", list(headers.items()), json.dumps({"error": self.body}).encode()

    def whole(self) -> bytes:
        """The same with its head, for those who are turned away at the door."""
        status, headers, body = self.to_response()
        headers += [("Connection", "close"), ("Content-Length", str(len(body)))]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


class _Parser(HTTPRequestParser):
    """A request, which may bring more where its path takes videos, and little without the password."""

    error: Any = None

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        limits, password = self.adj.limits, self.adj.password
        most = limits.video_bytes if self.path.startswith("/api/videos") else limits.picture_bytes
        if password and not right_password(password, self.headers.get("AUTHORIZATION", "")):
            most = SMALL
        self.adj: Any = copy.copy(self.adj)
        self.adj.max_request_body_size = most + 2_000  # and the lines around it in a form
        if self.content_length >= self.adj.max_request_body_size:
            self.expect_continue = False  # refused at once, not after it was sent

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if self.error is not None and not isinstance(self.error, _Refusal):
            self.error = _Refusal(self.error.code)
        return consumed

    @property
    def size(self) -> int:
        """Bytes of the body: those it announces, or those that came."""
        return max(self.content_length, self.body_bytes_received)


class _Channel(HTTPChannel):
    """A connection, which gives up on requests that trickle in, and on too many or too much of one address."""

    parser_class = _Parser
    request: Any = None
    began = 0.0

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        super().__init__(server, sock, addr, adj, map=map)
        same = sum(channel.addr[0] == addr[0] for channel in server.active_channels.values())
        if same > adj.limits.connections // 2:
            refusal = _Refusal(503).whole()
            self.outbufs[-1].append(refusal)
            self.total_outbufs_len = len(refusal)
            self.close_when_flushed = True

    def received(self, data: bytes) -> bool:
        now = time.monotonic()
        if self.request is None:
            self.began = now
        going = super().received(data)
        if self.request is not None:
            limits: Limits = self.adj.limits
            came = self.request.header_bytes_received + self.request.body_bytes_received
            if now - self.began > limits.patience + came / limits.slowest:
                self._give_up(408)
            elif self._too_much(limits.arriving):
                self._give_up(503)
        return going

    def _too_much(self, most: int) -> bool:
        """Whether more bytes are on their way, or wait to be looked at, than there is room for."""
        if self.request.size <= SMALL:  # pictures of live cameras come through whatever else is sent
            return False
        channels = list(self.server.active_channels.values())
        same = [channel for channel in channels if channel.addr[0] == self.addr[0]]
        return sum(c.held() for c in channels) > most or sum(c.held() for c in same) > most // 2

    def held(self) -> int:
        """Bytes of this connection's requests, in memory or on the disk."""
        return sum(request.size for request in (*self.requests, *filter(None, [self.request])))

    def handle_close(self) -> None:
        if self.request is not None:
            self.request.close()  # and the file that its body is collected in
        super().handle_close()

    def cancel(self) -> None:
        for request in self.requests:
            request.close()
        super().cancel()

    def _give_up(self, code: int) -> None:
        with self.requests_lock:
            self.request.error, self.request.completed = _Refusal(code), True
            self.requests.append(self.request)
            self.request = None
            if len(self.requests) == 1:
                self.server.add_task(self)


class Server:
    """A listening server: `run` it in this thread, `stop` it from another; `address` is where it listens."""

    def __init__(self, app: Flask, *, host: str = "127.0.0.1", port: int = 8000) -> None:
        limits: Limits = app.config["LIMITS"]
        self._sockets: dict[int, Any] = {}
        self._stop = threading.Event()
        self._waitress: Any = create_server(
            app,
            map=self._sockets,
            sockets=[_listening(host, port)],
            threads=THREADS,
            ident=None,
            connection_limit=limits.connections,
            channel_timeout=math.ceil(limits.patience),
            cleanup_interval=min(5, math.ceil(limits.patience)),
            max_request_header_size=16_384,
            max_request_body_size=limits.video_bytes,
        )
        self._waitress.channel_class = _Channel
        self._waitress.adj.limits, self._waitress.adj.password = limits, app.config["PASSWORD"]
        self.host, self.port = self._waitress.effective_host, int(self._waitress.effective_port)

    @property
    def address(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called, or an exception such as KeyboardInterrupt comes."""
        try:
            while not self._stop.is_set():
                wasyncore.loop(timeout=0.5, map=self._sockets, count=1)
        finally:
            self._waitress.task_dispatcher.shutdown()
            for channel in list(self._waitress.active_channels.values()):
                channel.handle_close()
            wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """End `run`; requests under way are finished first."""
        self._stop.set()
        with contextlib.suppress(OSError):  # it has ended already
            self._waitress.pull_trigger()


def serve(
    app: Flask,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the application of `create_app` until Ctrl-C or SIGTERM; ready is told the address.

    Raises OSError where the address is in use or not this machine's.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # or every request that waits a moment is a line
    try:
        server = Server(app, host=host, port=port)
        before = signal.signal(signal.SIGTERM, lambda *_: server.stop())
        try:
            if ready:
                ready(server.address)
            server.run()
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
    finally:
        app.extensions["close"]()


def _listening(host: str, port: int) -> socket.socket:
    """A socket at that address; OSError where there is none to be had."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)
