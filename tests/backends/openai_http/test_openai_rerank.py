"""Scores of a server: a real llama-server against transformers, and servers that do what they should not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gemma_eval.backends.openai_http.rerank import Load, ServedReranker
from gemma_eval.errors import BackendError, ServerError, UsageError
from gemma_eval.memory.rerankers.sanity import PAIRS, checked
from gemma_eval.protocols import RerankerParts
from gemma_eval.records import ModelSpec
from tests import bert, bert_gguf
from tests.backends.openai_http.telling_server import Json, scores, tell
from tests.llama_cpp import serve

QUERY = "Where does Finn live?"
PASSAGES = ("Finn lives in Oslo.", "naive cafe", "? . ?", "Oslo")
GOOD = {pair.relevant for pair in PAIRS}


def load(url: str) -> ServedReranker:
    """Connect to a server; nothing waits."""
    model = ModelSpec(name="served", backend="openai_http", location=url)
    return Load(environment={}, sleep=lambda _: None)(RerankerParts(model=model))


def test_a_real_llama_server_scores_as_transformers_does(tmp_path: Path) -> None:
    """But for the types of the tokens: to llama.cpp both texts are of the type 0, and so to the oracle."""
    folder = bert.write(tmp_path, labels=1)
    path = bert_gguf.write(folder, tmp_path / "rank.gguf", pooling="RANK")
    with serve(path, context_tokens=64, embedding=True, pooling_type="RANK") as server:
        served = load(f"{server.address}/v1")
        made = served.score(QUERY, PASSAGES)
        turned = served.score(QUERY, PASSAGES[::-1])[::-1]
        with pytest.raises(BackendError, match="is refused"):  # its weights are noise
            checked(served, name="llama_cpp")
    expected = bert.logits(folder, QUERY, PASSAGES, second_type=0)[:, 0]
    assert made == pytest.approx(expected, abs=2e-3)
    assert turned == pytest.approx(made, abs=2e-3)
    assert made != pytest.approx(expected[::-1], abs=2e-2), "the comparison can fail"


def test_each_text_has_its_score_in_whatever_order_they_come() -> None:
    """llama-server puts the best first."""
    with tell(scores(len)) as server:
        made = load(server.url).score(QUERY, PASSAGES)
        path, fields, _ = server.asked[0]
    assert made == tuple(len(text) for text in PASSAGES)
    assert (path, fields["query"], fields["top_n"]) == ("/v1/rerank", QUERY, 4)


def test_a_server_that_knows_which_passage_answers_passes() -> None:
    """And one whose scores are all but the same does not, nor one that has them the wrong way round."""
    with tell(scores(lambda text: float(text in GOOD))) as server:
        assert checked(load(server.url), name="llama_cpp").score(QUERY, []) == ()
    with (
        tell(scores(lambda text: 1e-9 * (text in GOOD))) as server,
        pytest.raises(BackendError, match="nearly the same score"),
    ):
        checked(load(server.url), name="llama_cpp")
    with (
        tell(scores(lambda text: -float(text in GOOD))) as server,
        pytest.raises(BackendError, match='in 0 of 10 pairs, 9 are needed; wrong are "What is the capital'),
    ):
        checked(load(server.url), name="llama_cpp")


@pytest.mark.parametrize("score", [math.nan, math.inf, 10**400, None, "0.3", True])
def test_a_score_that_is_no_number_is_refused(score: object) -> None:
    """As llama.cpp gave NaN for models that it could not run."""
    with (
        tell(scores(lambda _: score)) as server,
        pytest.raises(ServerError, match=r"/rerank: the score .* is no number"),
    ):
        load(server.url).score(QUERY, PASSAGES)


def test_scores_of_other_texts_are_refused() -> None:
    """Too few, or one text twice."""

    def half(path: str, fields: Json) -> tuple[int, Json]:
        status, body = scores(len)(path, fields)
        rows = body["results"]
        assert isinstance(rows, list)
        return status, {"results": rows[:2] * 2}

    with tell(half) as server, pytest.raises(ServerError, match="of 4 texts it told 4 rows, of the indexes"):
        load(server.url).score(QUERY, PASSAGES)


def test_a_reranker_without_a_model_says_what_it_needs() -> None:
    """The model has the address."""
    with pytest.raises(UsageError, match="needs a reranker_model"):
        Load()(RerankerParts())
