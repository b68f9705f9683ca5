"""A server that tells the key it was asked with, wherever it can; and what looks for that key afterwards."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

KEY = "Canary+Key/4711=beats"
"""What the model is asked with; it has no shape that is known, and changes when it is encoded."""
OTHER = "hunter2-canary-4712"
"""The value of another variable whose name says that it is secret."""
SHAPED = "sk-proj-Canary4713Canary4713Canary4713"
"""A key that nobody here has, known by its shape alone."""


def forms(secret: str) -> tuple[str, ...]:
    """Return what a secret may be written as."""
    encoded = b64encode(secret.encode()).decode()
    return secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded


class _Leaking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        """Tell the key as the name of a model and as what the server is."""
        if self.path.endswith("/models"):
            self._reply(200, {"data": [{"id": "tiny", "owned_by": self._key}]})
        else:
            self._reply(404, {"error": {"message": f"nothing for {self._key}"}})

    def do_POST(self) -> None:
        """Do what the question says."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"][-1]["content"]
        if "body" in asked:
            self._reply(
                400, {"error": {"message": f"no {self._key}, {OTHER}, {SHAPED}, {quote(KEY, safe='')}"}}
            )
        elif "encoded" in asked:
            self._reply(500, {"error": {"message": f"{b64encode(KEY.encode()).decode()} is not for you"}})
        elif "redirect" in asked:
            self._reply(302, {}, location=f"https://finn:{OTHER}@example.org/?key={self._key}")
        elif "header" in asked:
            self._reply(400, f"Authorization: Bearer {self._key}")
        else:
            self._stream(breaks="break" in asked)

    @property
    def _key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def _stream(self, *, breaks: bool) -> None:
        """Answer with the key in pieces, and with one that nobody here has."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        text = f"Your key is {self._key}, is it not? {SHAPED}"
        for at in range(0, len(text), 7):
            self._event({"choices": [{"index": 0, "delta": {"content": text[at : at + 7]}}]})
        if not breaks:
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
            self._event({"choices": [], "usage": usage})
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: object) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())

    def _reply(self, status: int, body: object, **headers: str) -> None:
        self.send_response(status)
        self.send_header("server", f"leaky {self._key}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def leaking_server() -> Iterator[str]:
    """Serve until the block ends, and return the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Leaking) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join(10)


def leaks(folder: Path, *secrets: str) -> list[str]:
    """Return where below a folder a secret stands, in files and in columns of databases, packed or not."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
        for where, text in _texts(path):
            found += [
                f"{path.relative_to(folder)} {where}: {form}"
                for secret in secrets
                for form in forms(secret)
                if form in text
            ]
    return found


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    yield "", path.read_bytes().decode(errors="replace")
    if path.suffix != ".db":
        return
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - its own tables
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    yield f"{table}.{name}", _unpacked(value)


def _unpacked(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return zlib.decompress(value).decode(errors="replace")
    except zlib.error:
        return value.decode(errors="replace")
