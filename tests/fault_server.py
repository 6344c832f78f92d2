"""A web server on 127.0.0.1 that does to its files what servers do: breaks off, stalls, alters, redirects, refuses."""

import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["no_proxy"] = "127.0.0.1"
PAGE = b"<!DOCTYPE html><html><body>Please sign in to use this network.</body></html>"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer.

    cut: bytes after which the connection ends. stall: seconds of silence after ``cut`` bytes, before it ends. altered:
    one byte of the body is another. ignores_range: the whole file, whatever was asked for. hangs_up: no answer at all.
    slow: bytes per second.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    stall: float = 0.0
    altered: bool = False
    ignores_range: bool = False
    hangs_up: bool = False
    slow: float | None = None


GOOD = Fault()


def busy(status: int = 503, wait: str | None = None) -> Fault:
    return Fault(status, {} if wait is None else {"Retry-After": wait})


def page(status: int = 200) -> Fault:
    return Fault(status, {"Content-Type": "text/html"}, PAGE)


def redirect(url: str) -> Fault:
    return Fault(302, {"Location": url})


class FaultServer:
    """``files`` by path, ``faults`` of the next answers by path, ``asked``: path and range of every request.

    Used as a context; ``url`` is its address."""

    def __init__(self, files: dict[str, bytes] | None = None):
        self.files = dict(files or {})
        self.asked: list[tuple[str, str | None]] = []
        self._faults: dict[str, Iterator[Fault]] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer._answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "FaultServer":
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def spoil(self, path: str, faults: Iterable[Fault]) -> None:
        """The next answers for ``path``; those after the last are good."""
        self._faults[path] = iter(faults)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, wanted = handler.path.lstrip("/"), handler.headers.get("Range")
        with self._lock:
            self.asked.append((path, wanted))
            fault = next(self._faults.get(path, iter(())), GOOD)
        handler.close_connection = True
        if fault.hangs_up:
            return
        content = self.files.get(path)
        if fault.status:
            return self._send(handler, fault.status, fault.headers, fault.body or b"", fault)
        if content is None:
            return self._send(handler, 404, {}, b"", fault)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and not fault.ignores_range else 0
        if start and start >= len(content):
            return self._send(handler, 416, {"Content-Range": f"bytes */{len(content)}"}, b"", fault)
        status, headers = 200, {}
        if start:
            status, headers = 206, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self._send(handler, status, headers, content[start:], fault)

    def _send(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes, fault: Fault):
        if fault.altered:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            self._pour(handler, body[: fault.cut], fault.slow)
            handler.wfile.flush()
            self._ended.wait(fault.stall)
        except OSError:  # nobody listens any more
            pass

    def _pour(self, handler: BaseHTTPRequestHandler, body: bytes, rate: float | None) -> None:
        step = len(body) if rate is None else max(1, int(rate / 50))
        for start in range(0, len(body), max(1, step)):
            handler.wfile.write(body[start : start + step])
            if rate is not None:
                time.sleep(step / rate)
