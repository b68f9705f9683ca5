"""Vectors of a server: a real llama-server against our own BERT, and servers that do what they should not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.backends.model_files import locate
from gemma_eval.backends.openai_http.embeddings import Load, ServedEmbedder
from gemma_eval.backends.sentence_bert import embedder as sentence_bert
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError, UnknownName, WrongSetting
from gemma_eval.records import ModelSpec, Option
from tests import bert, bert_gguf
from tests.backends.openai_http.hostile_server import reply
from tests.backends.openai_http.hostile_server import serve as hostile
from tests.backends.openai_http.telling_server import Answer, Json, embeddings, tell, vector
from tests.llama_cpp import serve

HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"data": [1'
TEXTS = ("one", "two", "three", "one", "")


def load(url: str, *, environment: dict[str, str] | None = None, **options: Option) -> ServedEmbedder:
    """Connect to a server; nothing waits."""
    spec = ModelSpec(name="served", backend="openai_embeddings", location=url, options=options)
    return Load(environment=environment or {}, sleep=lambda _: None)(spec)


def test_a_real_llama_server_gives_the_vectors_of_the_numpy_path(tmp_path: Path) -> None:
    """Of the same weights, read from a GGUF file by another engine, which computes in half precision."""
    folder = bert.write(tmp_path)
    ours = sentence_bert.load(ModelSpec(name="small", backend="sentence_bert", location=str(folder)))
    texts = ("Where does Finn live?", "Finn lives in Oslo.", "naïve café — 你好")
    path = bert_gguf.write(folder, tmp_path / "small.gguf", pooling="MEAN")
    with serve(path, context_tokens=64, embedding=True) as server:
        served = load(f"{server.address}/v1", batch=2)
        assert served.id == "served/small.gguf/F32/24"
        made = served.embed(texts)
    expected = ours.embed(texts)
    assert (made * expected).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert (made * np.roll(expected, 1, axis=0)).sum(axis=1) != pytest.approx(1, abs=1e-2), "it can fail"


def test_a_real_llama_server_embeds_with_the_model_that_ships() -> None:
    """A decoder, whose states are averaged; nothing says how well."""
    with serve(locate("@pocket.F32.gguf"), context_tokens=128, embedding=True, pooling_type="MEAN") as server:
        made = load(f"{server.address}/v1").embed(["Finn lives in Oslo.", "Ada lives in Rome.", ""])
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-6)
    assert made.shape == (3, 128)


def test_each_text_has_its_vector_in_whatever_order_they_come() -> None:
    """The rows of a reply are placed by their index; a long list is asked for in parts."""
    with tell(embeddings) as server:
        made = load(server.url, batch=2).embed(TEXTS)
        parts = [fields["input"] for _, fields, _ in server.asked[2:]]
    for text, row in zip(TEXTS, made, strict=True):
        given = np.array(vector(text or " "))
        assert row == pytest.approx(given / np.linalg.norm(given), abs=1e-6)
    assert parts == [["one", "two"], ["three", "one"], [" "]]


def test_no_texts_have_no_vectors() -> None:
    """Of the right width, and without a request."""
    with tell(embeddings) as server:
        made = load(server.url)
        asked = len(server.asked)
        assert made.embed([]).shape == (0, 4)
        assert len(server.asked) == asked


def test_the_key_comes_from_the_environment_and_is_shown_nowhere() -> None:
    """Options name the variable."""
    with tell(embeddings) as server:
        made = load(server.url, environment={"KEY": "sesame"}, api_key_env="KEY")
        _, _, headers = server.asked[0]
    assert headers["Authorization"] == "Bearer sesame"
    assert "sesame" not in repr(made)
    with tell(embeddings) as server, pytest.raises(BackendError, match="KEY is not set"):
        load(server.url, api_key_env="KEY")


Spoil = Callable[[list[dict[str, object]]], list[dict[str, object]]]


def spoilt(spoil: Spoil) -> Answer:
    """Answer soundly first, when the server is tried; then otherwise."""
    replies = []

    def answer(path: str, fields: Json) -> tuple[int, Json]:
        status, body = embeddings(path, fields)
        replies.append(body)
        rows = body["data"]
        assert isinstance(rows, list)
        return status, body if len(replies) < 3 else {"data": spoil(rows)}

    return answer


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda rows: rows[1:], r"of 5 texts it told 4 rows"),
        (lambda rows: [*rows, rows[0]], r"of 5 texts it told 6 rows"),
        (
            lambda rows: [{**row, "index": 0} for row in rows],
            r"of the indexes \[0\]; one of each from 0 to 4",
        ),
        (lambda rows: [{**row, "index": True} for row in rows], r"one of each from 0 to 4 is needed"),
        (
            lambda rows: [{**row, "embedding": [math.nan] * 4} for row in rows],
            "not finite or has no direction",
        ),
        (lambda rows: [{**row, "embedding": [1e300] * 4} for row in rows], "not finite or has no direction"),
        (lambda rows: [{**row, "embedding": [10**400] * 4} for row in rows], "int too large"),
        (lambda rows: [{**row, "embedding": [0, 0, 0, 0]} for row in rows], "not finite or has no direction"),
        (lambda rows: [{**row, "embedding": [None] * 4} for row in rows], "what is no number, as null"),
        (lambda rows: [{**row, "embedding": "AACAPw=="} for row in rows], "no list of numbers"),
        (lambda rows: [{**row, "embedding": [[1.0]]} for row in rows], "--pooling mean"),
        (
            lambda rows: [{**row, "embedding": [1, 2, 3]} for row in rows],
            "of 3 numbers came, and of 4 before",
        ),
        (lambda rows: [*rows[1:], {**rows[0], "embedding": [1]}], "vectors of several lengths"),
    ],
)
def test_vectors_that_are_none_are_refused(spoil: Spoil, says: str) -> None:
    """Each fault is one sentence with the address."""
    with tell(spoilt(spoil)) as server:
        made = load(server.url)
        with pytest.raises(ServerError, match=says) as caught:
            made.embed(TEXTS)
        assert server.url in str(caught.value)


def test_a_server_that_mixes_texts_up_is_refused_at_the_start() -> None:
    """It gives each text the vector of another, and says nothing."""

    def swapped(path: str, fields: Json) -> tuple[int, Json]:
        status, body = embeddings(path, fields)
        rows = body["data"]
        assert isinstance(rows, list)
        first = rows[0]["embedding"] if str(fields["input"]).startswith("['A comet") else None
        return status, {"data": [{**row, "embedding": first or row["embedding"]} for row in rows]}

    with tell(swapped) as server, pytest.raises(BackendError, match="another place in the request"):
        load(server.url)

    def same(path: str, fields: Json) -> tuple[int, Json]:
        status, body = embeddings(path, fields)
        rows = body["data"]
        assert isinstance(rows, list)
        return status, {"data": [{**row, "embedding": [1.0, 2.0]} for row in rows]}

    with tell(same) as server, pytest.raises(BackendError, match="unlike get the same vector"):
        load(server.url)


def test_a_server_that_is_busy_is_asked_again_and_not_for_ever() -> None:
    """As often as the option retries says."""
    statuses = [200, 200, 503, 503, 200]

    def busy(path: str, fields: Json) -> tuple[int, Json]:
        status = statuses.pop(0) if statuses else 503
        return embeddings(path, fields) if status == 200 else (status, {"error": {"message": "loading"}})

    with tell(busy) as server:
        made = load(server.url, retries=2)
        assert made.embed(["one"]).shape == (1, 4)
        asked = len(server.asked)
        with pytest.raises(
            ServerError, match=r"/embeddings: the server answered 503, in 3 attempts: loading"
        ):
            made.embed(["one"])
        assert len(server.asked) == asked + 3


def test_a_refusal_is_told_at_once() -> None:
    """With what the server says."""
    with (
        tell(lambda _path, _fields: (501, {"error": {"message": "no embeddings here"}})) as server,
        pytest.raises(ServerError, match="501: no embeddings here"),
    ):
        load(server.url)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (reply(b"<html>hello</html>"), ServerError, "/embeddings: invalid JSON: <html>hello"),
        (reply(b"[1, 2]"), ServerError, "JSON that is no object"),
        (reply(b"", status="401 Unauthorized"), ServerError, "name the environment variable that holds it"),
        (HALF, GenerationTimeout, r"/embeddings: it took longer than 0\.3 s; timeout_s allows more"),
    ],
    ids=["no JSON", "no object", "no key", "half of it"],
)
def test_what_is_no_answer_is_told(answer: bytes, kind: type[BackendError], says: str) -> None:
    """With what would be right, where anything would."""
    with hostile(paths={"/v1/embeddings": answer}) as server, pytest.raises(kind, match=says):
        load(server.url, timeout_s=0.3, idle_timeout_s=0.3)


def test_of_several_models_one_must_be_named() -> None:
    """With the option model, which the request then carries."""
    with tell(embeddings, models=("small", "large")) as server:
        with pytest.raises(BackendError, match=r'lists 2 models \("large", "small"\)'):
            load(server.url)
        made = load(server.url, model="large")
        assert server.asked[-1][1]["model"] == "large"
    assert made.id == "served/large/unknown/4"


def test_a_wrong_option_is_named() -> None:
    """Before the server is asked."""
    with pytest.raises(UnknownName, match='did you mean "batch"'):
        load("http://127.0.0.1:1/v1", bach=3)
    with pytest.raises(WrongSetting, match="batch = 0; a whole number from 1 to 2048"):
        load("http://127.0.0.1:1/v1", batch=0)
    with pytest.raises(ServerError, match="is the server running"):
        load("http://127.0.0.1:1/v1")
