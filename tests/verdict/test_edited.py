"""What has one name on both sides and was edited between them is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gemma_eval.records import Outcome, Source
from gemma_eval.verdict.edited import edited
from tests.examples import an_outcome


def with_(outcome: Outcome, **parts: Mapping[str, Any]) -> Outcome:
    """Return an outcome whose profile, template, model, retrieval or case has other fields."""
    cell = outcome.trial.cell
    changed = {name: replace(getattr(cell, name), **fields) for name, fields in parts.items()}
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, **changed)))


PLAIN = an_outcome()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"profile": {"temperature": 1.5, "max_tokens": 3}}, "profile {profile}: temperature "),
        ({"template": {"text": "Say: {{ query }}"}}, "template {template}: other text"),
        ({"template": {"parts": {"head.md": "Hello."}}}, "template {template}: other parts"),
        ({"model": {"location": "/elsewhere/other.gguf"}}, "model {model}: other location"),
        ({"model": {"context_tokens": 77}}, "model {model}: context_tokens nothing → 77"),
        ({"retrieval": {"top_k": 77}}, "retrieval without a name: top_k "),
        ({"case": {"checks": ()}}, "case {case} edited"),
    ],
)
def test_an_edit_is_named(parts: Mapping[str, Mapping[str, Any]], told: str) -> None:
    """With both values where they are short."""
    cell = PLAIN.trial.cell
    names = {axis: getattr(cell, axis).name for axis in ("model", "profile", "template")}
    (said,) = edited((PLAIN,), (with_(PLAIN, **parts),))
    assert said.startswith(told.format(**names, case=cell.case.id))


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"case": {"source": Source(path="moved.toml", line=99)}},
        {"template": {"description": "Asks.", "version": "2"}},
        {"profile": {"name": "other"}},
    ],
)
def test_what_changes_no_answer_or_has_another_name_is_no_edit(
    parts: Mapping[str, Mapping[str, Any]],
) -> None:
    """Names that differ are told by `changes`."""
    assert edited((PLAIN,), (with_(PLAIN, **parts),)) == ()


def test_a_limit_of_another_case_is_no_edit() -> None:
    """A case may have a profile end its answers elsewhere: what the same case has is held together."""
    longer = with_(PLAIN, case={"id": "longer"}, profile={"max_tokens": 200})
    assert edited((PLAIN, longer), (longer, PLAIN)) == ()


def test_the_same_weights_in_another_checkout_are_no_edit() -> None:
    """A commit that is measured beside this one has a folder of its own."""
    here, there = (with_(PLAIN, model={"location": f"/{place}/weights/a.gguf"}) for place in ("a", "b"))
    assert edited((here,), (there,)) == ()
