"""uvicorn with what a service needs beyond its defaults: limits on time and connections, and a clean shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Callable, Optional

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from prompt_kit.errors import ConfigError
from prompt_kit.serving.limits import Limits
from prompt_kit.serving.refusals import error_body

GRACE = 20  # seconds that requests under way have when the service is stopped


class Server(uvicorn.Server):
    """Stops on SIGTERM and SIGINT: no new connections, /ready says no, requests under way are answered, exit code 0.

    A second signal does not wait for them.
    """

    should_exit: bool

    def __init__(self, make_app: Callable[[Callable[[], bool]], Any], limits: Limits):
        # uvicorn's own log stays silent but for errors: what a stranger sends is no news, and texts are never logged
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        super().__init__(
            uvicorn.Config(
                make_app(lambda: self.should_exit),
                http=protocol(limits),
                ws="none",
                loop="asyncio",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                lifespan="on",
                timeout_keep_alive=15,
                timeout_graceful_shutdown=GRACE,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the process then ends with 0 and not by the signal that it has obeyed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Optional[FrameType]) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def protocol(limits: Limits) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with `limits`: of connections, of the time for headers, and of the time to take an answer."""

    class BoundedProtocol(H11Protocol):
        timer: Optional[asyncio.TimerHandle] = None  # until the headers of the next request are there
        writing: Optional[asyncio.TimerHandle] = None  # until the client takes what was written

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                self._refuse(503, "busy", f"{limits.connections} connections are open")
            else:
                self._watch_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.timer is None and self._between_requests():
                self._watch_headers()

        def handle_events(self) -> None:
            super().handle_events()
            if not self._between_requests():
                self._unwatch()

        def connection_lost(self, exc: Optional[Exception]) -> None:
            self._unwatch()
            if self.writing is not None:
                self.writing.cancel()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.writing = self.loop.call_later(limits.seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.writing is not None:
                self.writing.cancel()
                self.writing = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.transport.is_closing():  # it closes once the client has taken the rest, which it may never do
                self.loop.call_later(limits.seconds, self.transport.abort)

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, "not_http", "this is no HTTP request that can be read")

        def _between_requests(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _watch_headers(self) -> None:
            self.timer = self.loop.call_later(limits.seconds, self._too_slow)

        def _unwatch(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

        def _too_slow(self) -> None:
            self.timer = None
            if self._between_requests():
                self._refuse(408, "too_slow", f"no request within {limits.seconds:g} s")

        def _refuse(self, status: int, code: str, message: str) -> None:
            """Answer outside of any request, and close. The bytes are written by hand: h11 may be in any state."""
            if not self.transport.is_closing():
                body = error_body(status, code, message)
                head = f"HTTP/1.1 {status} {code}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
                self.transport.write(f"{head}connection: close\r\n\r\n".encode("ascii") + body)
                self.transport.close()

    return BoundedProtocol


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigError when the address is in use, not this machine's, or no address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as problem:
        number = problem.errno or 0  # a name that is not found has errors of its own, below 0
        why = os.strerror(number) if number > 0 else problem.strerror or str(problem)
        raise ConfigError(f"cannot listen on {host}:{port} ({why}); give another --host or --port") from None
    except OverflowError:
        raise ConfigError(f"--port {port}: expected 0 to 65535 (0: any that is free)") from None


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    host = listener.getsockname()[0]
    return host.startswith("127.") or host == "::1"
