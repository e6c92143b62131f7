"""An HTTP proxy in front of an object store that harms the requests it is told to harm."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

Choose = Callable[[str, str], str | None]
"""(method, path with query) -> the fault to inject, or None to pass the request on."""

REFUSED = {
    "error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "InvalidAccessKeyId", "The AWS Access Key Id does not exist in our records."),
}
"""Faults that are answers; the store never hears of the request."""
FAULTS = ("error", "slow_down", "reset", "slow", "cut", "drop")
"""reset: the connection ends before the store hears of the request. slow: the answer dribbles in.
cut: half of the answer's body arrives. drop: the store does as it is asked, and its answer is lost.
"""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST at once


def mixed(seed: int, rate: float) -> Choose:
    """All `FAULTS` in turn at random, each request harmed with probability `rate`."""
    rng = random.Random(seed)

    def choose(method: str, path: str) -> str | None:
        return rng.choice(FAULTS) if rng.random() < rate else None

    return choose


class Proxy:
    """Serves from a thread of its own, one request to a connection."""

    def __init__(self, upstream: str) -> None:
        self._store = urlsplit(upstream)
        self._loop = asyncio.new_event_loop()
        self.choose: Choose = lambda method, path: None
        self.passed = 0
        self.injected: Counter[str] = Counter()
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[Proxy]:
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = self._loop.run_until_complete(start)
        self.url = "http://{}:{}".format(*server.sockets[0].getsockname())
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(server), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, body = await _read_request(reader)
            method, path, _ = head.decode("latin-1").split(" ", 2)
            fault = self.choose(method, path)
            if fault in REFUSED:
                answer = _refusal(method, *REFUSED[fault])
            elif fault == "reset":
                answer = b""
            else:
                whole = await self._ask(head, body)
                answer = _harm(whole, fault)
                if answer == whole and fault != "slow":
                    fault = None
            if fault is None:
                self.passed += 1
            else:
                self.injected[fault] += 1
            await _send(writer, answer, slowly=fault == "slow")
            if fault in ("reset", "drop"):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, RESET
                )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._store.hostname, self._store.port)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection")]
        writer.write(b"\r\n".join([lines[0], b"connection: close", *lines[1:]]) + body)
        answer = await reader.read()
        writer.close()
        return answer


async def _read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
    return head, await reader.readexactly(size)


def _refusal(method: str, status: int, code: str, message: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {code}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)


def _harm(answer: bytes, fault: str | None) -> bytes:
    """What is left of an answer; one without a body cannot be cut."""
    if fault == "drop":
        return b""
    head, end, body = answer.partition(b"\r\n\r\n")
    return head + end + body[: len(body) // 2] if fault == "cut" and body else answer


async def _send(writer: asyncio.StreamWriter, answer: bytes, *, slowly: bool) -> None:
    middle = len(answer) // 2 if slowly else 0
    for part in (answer[:middle], answer[middle:]):
        await asyncio.sleep(0.1 if slowly else 0)
        writer.write(part)
        await writer.drain()
