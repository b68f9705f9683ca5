"""What a run measures of its retrievals: scores of what was found, and the step that lost an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from gemma_eval.backends.nobody import NOBODY
from gemma_eval.plugins import load
from gemma_eval.protocols import Backend
from gemma_eval.records import (
    Check,
    Document,
    EngineInfo,
    Generation,
    Judgement,
    Outcome,
    Prompt,
    Retrieval,
    SamplingProfile,
    Trial,
)
from gemma_eval.run import run_trial
from gemma_eval.scoring.again import again
from gemma_eval.stages import scorer_builder, stages
from gemma_eval.stats.losses import lost_at
from tests.examples import a_case, a_cell, a_generation

REGISTRY = load()
TOWN = Document(name="town", text="- Where does the time go?\n- Finn lives in Oslo.\n- Ada lives in Rome.\n")
FOUND = tuple(Check(scorer=name, of_passages=True) for name in ("recall", "mrr", "context_recall", "map"))
ANSWER = Check(scorer="contains", options={"text": "Oslo"})


@dataclass
class Reading:
    """An engine that counts words, and says Oslo where it reads it."""

    chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"

    def info(self) -> EngineInfo:
        """Say that it is a fake."""
        return EngineInfo(
            engine="fake", version="0", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer from the passages."""
        return a_generation("Oslo" if "Oslo" in (prompt.text or "") else "Nobody knows")

    def close(self) -> None:
        """Free nothing."""


def ran(query: str, *checks: Check, backend: Backend | None = None, **fields: object) -> Outcome:
    """Run a question with one retrieval: with an engine, or with nobody who would answer."""
    kind = "quality" if backend is None else "retrieval"
    case = a_case(kind=kind, documents=(TOWN,), checks=checks, relevant=(Judgement(text="lives in Oslo"),))
    case = replace(case, messages=(replace(case.messages[0], content=query),))
    retrieval = Retrieval(**{"name": "way", "retriever": "bm25", **fields})  # type: ignore[arg-type]
    cell = replace(a_cell(), case=case, retrieval=retrieval)
    engine = backend or Reading()
    return run_trial(Trial(cell=cell, repeat=0, seed=1), stages(REGISTRY, engine))


QUERY = "Where does Finn live in the time?"


@pytest.mark.parametrize(
    ("query", "fields", "lost"),
    [
        (QUERY, {"top_k": 3}, None),
        ("What is blue?", {}, "retrieval"),
        (QUERY, {"top_k": 1}, "rank"),
        (QUERY, {"top_k": 3, "budget_tokens": 6}, "packing"),
        ("What is blue?", {"retriever": "oracle"}, None),
        (QUERY, {"retriever": "none"}, None),
    ],
)
def test_a_wrong_answer_is_lost_at_the_step_that_a_choice_of_the_retrieval_broke(
    query: str, fields: dict[str, object], lost: str | None
) -> None:
    """By the trace of a real search and the packing of a real prompt."""
    outcome = ran(query, ANSWER, **fields)  # type: ignore[arg-type]
    assert lost_at(outcome) == lost
    if fields != {"retriever": "none"}:
        assert (outcome.score == 1) == (lost is None)


def test_an_answer_that_ignores_what_it_read_is_lost_by_the_model() -> None:
    """Though all else went well."""
    wrong = replace(ANSWER, options={"text": "Rome, as the passages say"})
    assert lost_at(ran(QUERY, wrong, top_k=3)) == "generation"


@pytest.mark.parametrize("backend", [None, NOBODY], ids=["answered", "alone"])
def test_what_was_found_is_scored_in_a_run_and_again_from_its_outcome(backend: Backend | None) -> None:
    """With a prompt and an answer, or without; the scores of before are the planted error."""
    outcome = ran(QUERY, *FOUND, backend=backend, top_k=3)
    assert [each.value for each in outcome.scores] == [1, 1 / 2, 1, 1 / 2]
    (scored,) = again([replace(outcome, scores=())], outcome.trial.cell.case, build=scorer_builder(REGISTRY))
    assert scored == outcome
    first = replace(outcome.trial.cell.case, relevant=(Judgement(text="the time"),))
    (other,) = again([outcome], first, build=scorer_builder(REGISTRY))
    assert [each.value for each in other.scores] == [1, 1, 1, 1]
