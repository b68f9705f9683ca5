"""Groups of two sides are held together by what both have."""

from __future__ import annotations

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.records import Outcome
from gemma_eval.verdict.sides import changes, on, pairs, unpaired
from tests.examples import an_outcome
from tests.verdict.two_sides import named


def group(model: str, template: str) -> Outcome:
    """Return an outcome of a model with a template."""
    return named(an_outcome(), model=model, template=template)


def test_two_runs_are_held_together_group_by_group() -> None:
    """Those that only one of them has are left out."""
    base = (group("a", "plain"), group("a", "rag"), group("b", "rag"))
    candidate = (group("a", "rag"), group("b", "rag"), group("c", "rag"))
    found = pairs(base, candidate)
    assert [pair.shared for pair in found] == ["a · rag", "b · rag"]
    assert found[0].base == (base[1],)
    assert found[0].candidate == (candidate[0],)
    assert unpaired(base, candidate) == (
        "a · greedy · plain (of the base alone)",
        "c · greedy · rag (of the candidate alone)",
    )
    assert changes(base, candidate) == ()


def test_two_names_on_one_axis_are_what_is_compared() -> None:
    """The other axes are held together."""
    outcomes = (group("a", "plain"), group("a", "rag"), group("b", "rag"), group("b", "plain"))
    found = pairs(on("model", outcomes, name="a"), on("model", outcomes, name="b"))
    assert [pair.shared for pair in found] == ["plain", "rag"]
    assert changes(on("model", outcomes, name="a"), on("model", outcomes, name="b")) == ("model a → b",)


def test_a_single_model_that_got_another_name_is_compared() -> None:
    """As a quantisation beside the model that it was made of."""
    (found,) = pairs((group("a", "rag"),), (group("a-q8", "rag"),))
    assert found.shared == "greedy · rag"


def test_all_that_changed_together_is_named() -> None:
    """Lest two changes be taken for one."""
    assert changes((group("a", "plain"),), (group("b", "rag"),)) == ("model a → b", "template plain → rag")


def test_sides_with_nothing_in_common_are_refused() -> None:
    """With the names of both."""
    base, candidate = (group("a", "rag"), group("b", "rag")), (group("c", "rag"), group("d", "rag"))
    with pytest.raises(UsageError, match="model a, b against c, d"):
        pairs(base, candidate)
