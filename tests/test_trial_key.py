"""The identity of a trial is a hash of all that was chosen for it: the same as it ever was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import pytest

from gemma_eval.records import Cell, Check, Filter, ModelSpec, Retrieval, Source, Trial
from tests.examples import a_cell

OF_TRIAL: dict[str, object] = {"block": 0}
OF_CELL: dict[str, object] = {"judges": (), "embedders": (), "rerankers": ()}
OF_CASE: dict[str, object] = {
    "choices": (),
    "target": None,
    "delimiter": "",
    "reduce": "mean",
    "k": None,
    "dataset": None,
    "corpus": None,
    "relevant": (),
    "retrievals": (),
    "cache": None,
    "texts": {},
    "now": None,
}
OF_TEMPLATE: dict[str, object] = {"variables": {}, "models": (), "parts": {}}
OF_CHECK: dict[str, object] = {
    "weight": 1.0,
    "must_pass": False,
    "negated": False,
    "filters": (),
    "over_repeats": False,
    "of_passages": False,
    "judges": (),
}


FIRST = ("retriever", "top_k", "budget_tokens", "overflow")
OF_RETRIEVAL = {name: value for name, value in asdict(Retrieval()).items() if name not in FIRST}


def slowly(trial: Trial) -> str:
    """Hash the whole record as JSON, without what it lacks that came to records later."""
    plain = asdict(trial)
    case = plain["cell"]["case"]
    del case["source"]
    template = plain["cell"]["template"]
    del template["version"], template["description"], template["first_lines"]
    of_checks = [(check, OF_CHECK) for check in case["checks"]]
    retrieval = (plain["cell"]["retrieval"], OF_RETRIEVAL)
    for table, unused in (
        *((plain, OF_TRIAL), (plain["cell"], OF_CELL), (case, OF_CASE), (template, OF_TEMPLATE), retrieval),
        *of_checks,
    ):
        for name, value in unused.items():
            if table[name] == value:
                del table[name]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


PLAIN = a_cell()
CHECK = Check(
    scorer="judge",
    options={"labels": ("a", "b"), "value": 1.5},
    weight=2.0,
    negated=True,
    filters=(Filter(name="regex", options={"group": 1}),),
    judges=("big",),
)
FULL = replace(
    PLAIN,
    case=replace(PLAIN.case, checks=(CHECK,), choices=("x", "ü"), target=1, reduce="max", k=2),
    judges=(ModelSpec(name="big", backend="scripted", location="-"),),
    retrieval=Retrieval(name="hybrid", retriever="hybrid", top_k=3, embedder="small", tiers=("working",)),
)


@pytest.mark.parametrize("cell", [PLAIN, FULL])
@pytest.mark.parametrize("block", [0, 3])
def test_the_key_is_the_hash_of_all_that_was_chosen(cell: Cell, block: int) -> None:
    """As computed from copies of all records, which takes longer."""
    trial = Trial(cell=cell, repeat=1, seed=7, block=block)
    assert trial.key == slowly(trial)


def test_the_comparison_notices_what_is_left_out() -> None:
    """A trial that differs in one option has another key by both ways."""
    one, other = (Trial(cell=cell, repeat=0, seed=1) for cell in (PLAIN, FULL))
    assert one.key != slowly(other)


def test_what_a_template_says_of_itself_is_no_choice_and_what_it_includes_is_one() -> None:
    """Its description is read by people alone, its parts by the model."""
    key = Trial(cell=PLAIN, repeat=0, seed=1).key
    described = replace(PLAIN.template, version="2", description="Asks.")
    assert Trial(cell=replace(PLAIN, template=described), repeat=0, seed=1).key == key
    for changed in (
        replace(PLAIN.template, parts={"head.md": "Hello."}),
        replace(PLAIN.template, variables={"tone": "kind"}),
    ):
        cell = replace(PLAIN, template=changed)
        assert Trial(cell=cell, repeat=0, seed=1).key != key


def test_where_a_case_is_declared_is_no_choice() -> None:
    """A case that has moved is the same case."""
    moved = replace(PLAIN, case=replace(PLAIN.case, source=Source(path="elsewhere.toml", line=99)))
    assert Trial(cell=moved, repeat=0, seed=1).key == Trial(cell=PLAIN, repeat=0, seed=1).key
