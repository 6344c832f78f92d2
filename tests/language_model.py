"""A small server that answers like a language model behind an OpenAI-compatible address, and as badly as it is told."""

import json
import random
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "tiny-model"
BASES = "shape, colour, texture, size, outline"


class LanguageModelServer:
    """requests: the bodies that came, each with its path under "path". faults: what is done instead of answering, taken
    one by one; a name below, for the next request. always: the same for every request. key: that must be sent.

    choices: at most so many per request; None: as many as are asked for. delay: seconds before each answer. port: 0 for
    any that is free.
    says: what is answered to a text, by words that it holds.
    """

    def __init__(self, choices: int | None = None, key: str | None = None, delay: float = 0.0, port: int = 0):
        self.requests: list[dict] = []
        self.faults: list[str] = []
        self.always: str | None = None
        self.choices, self.key, self.delay = choices, key, delay
        self.says: dict[str, str] = {}
        self.refuses_n = False
        self.keys: list[str] = []
        self.lock = threading.Lock()
        self.open = self.most_open = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.answer(self)

            def do_GET(self):
                owner.send(self, 200, {"data": [{"id": MODEL}]})

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.requests.append(body | {"path": handler.path})
            self.keys.append(handler.headers.get("Authorization", ""))
            fault = self.faults.pop(0) if self.faults else self.always
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            self.reply(handler, body, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with self.lock:
                self.open -= 1

    def reply(self, handler: BaseHTTPRequestHandler, body: dict, fault: str | None) -> None:
        time.sleep(self.delay)
        if self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            return self.fail(handler, 401, f"Incorrect API key: {handler.headers.get('Authorization')}")
        if body["model"] != MODEL:
            return self.fail(handler, 404, f"The model '{body['model']}' does not exist")
        if self.refuses_n and body.get("n", 1) > 1:
            return self.fail(handler, 400, "n must be 1")
        match fault:
            case "busy":
                return self.fail(handler, 429, "busy", {"Retry-After": "0.2"})
            case "broken":
                return self.fail(handler, 500, "broken")
            case "malformed":
                return self.raw(handler, b'{"choices": [')
            case "other":
                return self.send(handler, 200, {"hello": "I am no language model"})
            case "cut":
                return self.cut(handler)
            case "leak":
                return self.fail(handler, 400, f"do not send {handler.headers.get('Authorization')}")
        texts = [self.text(body, number, fault) for number in range(self.count(body, fault))]
        ended = {"length": "length", "filter": "content_filter"}.get(fault, "stop")
        if body.get("stream"):
            return self.stream(handler, texts, ended, cut=fault == "cut_stream")
        chat = handler.path.endswith("/chat/completions")
        said = [{"message": {"role": "assistant", "content": text}} if chat else {"text": text} for text in texts]
        choices = [{"index": i, "finish_reason": ended, **each} for i, each in enumerate(said)]
        usage = {"prompt_tokens": 10, "completion_tokens": 10 * len(texts), "total_tokens": 10 + 10 * len(texts)}
        self.send(handler, 200, {"id": "a", "object": "x", "model": f"{MODEL}-2", "choices": choices, "usage": usage})

    def count(self, body: dict, fault: str | None) -> int:
        asked = body.get("n", 1)
        return min(asked, 2 if fault == "few" else asked, self.choices or asked)

    def text(self, body: dict, number: int, fault: str | None) -> str:
        match fault:
            case "refusal":
                return "I'm sorry, but I can't help with that."
            case "empty":
                return ""
            case "German":
                return "Das ist eine Form mit einer runden Linie und einem Kreis"
        prompt = body.get("prompt") or last_text(body)
        for words, answer in self.says.items():
            if words in prompt:
                return answer
        if "five attributes" in prompt or "five other" in prompt:
            return BASES
        if "classes of images" in prompt:
            return "They are of many forms and colours."
        drawn = random.Random(f"{prompt} {body.get('seed')} {number}").randrange(10**6)
        return f"You can see the look of it with number {drawn} in: {prompt}"

    def stream(self, handler, texts: list[str], ended: str, cut: bool) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for i, text in enumerate(texts):
            for part in (text[:9], text[9:]):
                self.event(handler, [{"index": i, "delta": {"content": part}, "finish_reason": None}])
            if cut:
                handler.close_connection = True
                return
            self.event(handler, [{"index": i, "delta": {}, "finish_reason": ended}])
        handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    def event(self, handler, choices: list[dict]) -> None:
        part = {"id": "a", "object": "chat.completion.chunk", "model": f"{MODEL}-2", "choices": choices}
        handler.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
        handler.wfile.flush()

    def cut(self, handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"choices": [')
        handler.close_connection = True

    def fail(self, handler, status: int, message: str, headers: dict | None = None) -> None:
        self.send(handler, status, {"error": {"message": message, "type": "x", "param": None, "code": None}}, headers)

    def send(self, handler, status: int, content: dict, headers: dict | None = None) -> None:
        self.raw(handler, json.dumps(content).encode(), status, headers)

    def raw(self, handler, data: bytes, status: int = 200, headers: dict | None = None) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)


def last_text(body: dict) -> str:
    """What the user said last; images are left out."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else " ".join(each.get("text", "") for each in content)


@contextmanager
def serving(**how):
    server = LanguageModelServer(**how)
    server.thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
