"""The application behind waitress, with patience for slow clients and for many of them, but not without end."""

import contextlib
import copy
import logging
import math
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import Error

from .guard import right_password
from .limits import Limits

__all__ = ["Server", "serve"]

log = logging.getLogger(__name__)

THREADS = 12
SMALL = 100_000  # bytes of a body that nobody needs a password for, so that the answer can be a clean 401


_CROWD = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _TooSlow(Error):
    code, reason = 408, "Request Timeout"


class _Parser(HTTPRequestParser):
    """A request, which may bring more where its path takes videos, and little without the password."""

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


class _Channel(HTTPChannel):
    """A connection, which gives up on requests that trickle in, and on too many of one address."""

    parser_class = _Parser
    request: Any = None
    began = 0.0

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        super().__init__(server, sock, addr, adj, map=map)
        same = sum(channel.addr[0] == addr[0] for channel in server.active_channels.values())
        if same > adj.limits.connections // 2:
            self.outbufs[-1].append(_CROWD)
            self.total_outbufs_len = len(_CROWD)
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
                self._give_up()
        return going

    def handle_close(self) -> None:
        if self.request is not None:
            self.request.close()  # and the file that its body is collected in
        super().handle_close()

    def cancel(self) -> None:
        for request in self.requests:
            request.close()
        super().cancel()

    def _give_up(self) -> None:
        with self.requests_lock:
            self.request.error, self.request.completed = _TooSlow("the request came too slowly"), True
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
