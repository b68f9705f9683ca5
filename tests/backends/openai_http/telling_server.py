"""A server of embeddings and of scores on a loopback port, which answers as a function says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

import numpy as np

Json = Mapping[str, object]
Answer = Callable[[str, Json], tuple[int, Json]]
"""Returns status and body for a path and the fields of a request."""


@dataclass(kw_only=True)
class Telling:
    """Where it is, and what it was asked."""

    url: str
    asked: list[tuple[str, Json, Mapping[str, str]]] = field(default_factory=list)


def vector(text: str) -> list[float]:
    """Return the vector [4] of a text, not of length 1."""
    return [float(value) for value in np.random.default_rng(crc32(text.encode())).normal(size=4)]


def embeddings(path: str, fields: Json) -> tuple[int, Json]:
    """Answer as a sound server does, the last text first."""
    del path
    texts = fields["input"]
    assert isinstance(texts, list)
    rows = [{"index": at, "embedding": vector(text)} for at, text in enumerate(texts)]
    return 200, {"data": rows[::-1]}


def scores(of: Callable[[str], object]) -> Answer:
    """Answer with the score that `of` gives each document, the highest first."""

    def answer(path: str, fields: Json) -> tuple[int, Json]:
        del path
        documents = fields["documents"]
        assert isinstance(documents, list)
        rows = [{"index": at, "relevance_score": of(text)} for at, text in enumerate(documents)]
        return 200, {"results": sorted(rows, key=lambda row: str(row["relevance_score"]), reverse=True)}

    return answer


@contextmanager
def tell(answer: Answer, *, models: Sequence[str] = ("tiny",)) -> Iterator[Telling]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = {"data": [{"id": name, "owned_by": "somebody"} for name in models]}
            self._reply(*((200, listed) if self.path == "/v1/models" else (404, {})))

        def do_POST(self) -> None:
            fields = json.loads(self.rfile.read(int(self.headers["content-length"])))
            telling.asked.append((self.path, fields, dict(self.headers.items())))
            self._reply(*answer(self.path, fields))

        def _reply(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        telling = Telling(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield telling
        finally:
            server.shutdown()
            thread.join(10)
