"""A cell that asks for what a backend does not declare is refused, word by word."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.backends import capabilities
from gemma_eval.backends.refusals import flaw, refusal
from gemma_eval.errors import BackendError, PluginError, Problem
from gemma_eval.records import Case, Cell, Load, ModelSpec, RopeScaling, SamplingProfile
from tests.examples import a_cell

WORDS = (*capabilities.SAMPLING, *capabilities.OTHERS)
GREEDY = SamplingProfile(name="greedy", temperature=0.0)
ASKING = {
    **{word: {word: value} for word, value in (("temperature", 0.7), ("top_k", 40), ("top_p", 0.9))},
    **{word: {word: value} for word, value in (("min_p", 0.1), ("base_p", 0.9), ("typical_p", 0.9))},
    **{word: {word: 1.5} for word in ("top_n_sigma", "repeat_penalty", "presence_penalty")},
    "frequency_penalty": {"frequency_penalty": 1.0},
    "xtc": {"xtc_probability": 0.5},
    "cutoffs": {"eta_cutoff": 0.1},
    "dry": {"dry_multiplier": 1.0},
    "logit_bias": {"logit_bias": {"1": 1.0}},
    "dynatemp": {"dynatemp_range": 0.5},
    "dynatemp_modes": {"dynatemp_mode": "edt", "dynatemp_theta": 0.5},
    "mirostat": {"mirostat": 2},
    "mirostat_original": {"mirostat": 2, "mirostat_surprise": "original"},
    "adaptive_p": {"adaptive_target": 0.5},
    "order": {"order": ("temperature",)},
    "seed": {"temperature": 1.0},
    "stop": {"stop": (".",)},
    "ignore_eos": {"ignore_eos": True},
}
"""Fields of a profile that need each word about sampling."""


class Declaring:
    """A factory that says what its engines can do, and no more."""

    def __init__(self, words: Collection[str]) -> None:
        self.capabilities = words


class Faulty:
    """One that fails when it is asked."""

    @property
    def capabilities(self) -> Collection[str]:
        """Divide by zero."""
        raise ZeroDivisionError("oh")


class Choosy(Declaring):
    """One that answers by itself for its engines, of which some can more than it declares."""

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Refuse nothing."""


class Widenable(Declaring):
    """One whose engines serve as many as an option says."""

    in_flight_option = "slots"

    def max_in_flight(self, spec: ModelSpec) -> int | None:
        """Return one slot."""
        del spec
        return 1


def a_plain_cell() -> Cell:
    """Return a cell that asks for nothing but a greedy answer."""
    model = ModelSpec(name="m", backend="mine", location="-")
    return replace(a_cell(), model=model, profile=GREEDY)


def asks(cell: Cell, **changes: object) -> Cell:
    """Return the cell with another case."""
    return replace(cell, case=replace(cell.case, **changes))  # type: ignore[arg-type]


def needing(word: str) -> Cell:
    """Return a cell that needs a word."""
    cell = a_plain_cell()
    if word == "rope_scaling":
        scaling = RopeScaling(rope_type="linear", factor=2.0)
        return replace(cell, model=replace(cell.model, rope_scaling=scaling))
    if word == "logprobs":
        return asks(cell, continuation="Oslo")
    if word == "concurrent":
        return asks(cell, load=Load(concurrency=4))
    return replace(cell, profile=replace(GREEDY, **ASKING[word]))  # type: ignore[arg-type]


SAID = {
    "rope_scaling": 'the backend "mine" has no rope_scaling',
    "logprobs": 'the backend "mine" cannot read a continuation',
    "concurrent": 'the backend "mine" answers 1 request at once, and the load needs 4',
}


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_held_against_the_cell_that_needs_it(word: str) -> None:
    """With all others it is refused, with all it is not: no word is without a meaning."""
    assert refusal(Declaring(frozenset(WORDS)), needing(word)) is None
    reason = refusal(Declaring(frozenset(WORDS) - {word}), needing(word))
    assert reason == SAID.get(word, f'the backend "mine" has no {word}')


def test_choices_need_what_a_continuation_needs() -> None:
    """And it is said which of the two cannot be read."""
    cell = asks(a_plain_cell(), choices=("Oslo", "Rome"), target=0)
    assert refusal(Declaring(frozenset(WORDS)), cell) is None
    reason = refusal(Declaring(frozenset(WORDS) - {"logprobs"}), cell)
    assert reason == 'the backend "mine" cannot read choices'


class Discerning(Declaring):
    """One whose engines read if their models are called so."""

    def capabilities_of(self, spec: ModelSpec) -> frozenset[str]:
        """Return all words, or all but one."""
        return frozenset(WORDS) - (set() if spec.name == "reads" else {"logprobs"})


def test_a_factory_may_declare_for_each_model() -> None:
    """What it says of one goes before what it says of all."""
    factory, cell = Discerning(frozenset()), asks(a_plain_cell(), continuation="Oslo")
    assert refusal(factory, cell) == 'the backend "mine" cannot read a continuation'
    assert refusal(factory, replace(cell, model=replace(cell.model, name="reads"))) is None


def test_a_factory_that_declares_nothing_is_asked_when_it_has_loaded() -> None:
    """Nothing is known of it."""
    assert [refusal(object(), needing(word)) for word in WORDS] == [None] * len(WORDS)


def test_a_factory_that_refuses_by_itself_knows_its_engines_better() -> None:
    """A server's dialect can more than every server does; what is no sampling is held against its words."""
    choosy = Choosy({"temperature"})
    assert {word for word in WORDS if refusal(choosy, needing(word))} == set(capabilities.OTHERS)


def test_a_slot_too_few_names_the_option_that_gives_more() -> None:
    """With what to write; an open loop needs two at least."""
    said = "; give the model options = { slots = 4 } or more"
    assert refusal(Widenable(WORDS), needing("concurrent")) == SAID["concurrent"] + said
    cell = asks(a_plain_cell(), load=Load(rate_per_s=5.0))
    assert str(refusal(Widenable(WORDS), cell)).endswith(
        "needs 2; give the model options = { slots = 2 } or more"
    )


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (Faulty(), 'backend "mine": capabilities failed: ZeroDivisionError: oh'),
        (Declaring(["min-p"]), 'capabilities: no capability named "min-p"; did you mean "min_p"?'),
        (Declaring("stop"), 'capabilities: no capability named "o"'),
        (Declaring([3]), 'capabilities: no capability named "3"'),  # type: ignore[list-item]
    ],
)
def test_what_is_no_declaration_is_a_fault_of_the_plugin(factory: object, problem: str) -> None:
    """A misspelt word would refuse cells that the engine can run."""
    with pytest.raises(PluginError, match=re.escape(problem)):
        refusal(factory, a_plain_cell())


class Checking(Declaring):
    """One that looks at the options of a model."""

    def check(self, spec: ModelSpec) -> None:
        """Like none."""
        raise BackendError(f"model {spec.name}: size is no option")


def test_what_is_wrong_with_the_options_of_a_model_has_a_place(tmp_path: Path) -> None:
    """In the file of the models that is beside the suite, and in the suite for a model of no file."""
    model = a_plain_cell().model
    suite = tmp_path / "suite.toml"
    what = "model m: size is no option"
    assert flaw(Checking(()), model, suite=suite) == Problem(path=suite, line=0, what=what)
    models = tmp_path / "models.toml"
    models.write_text('version = 1\n\n[model.m]\nbackend = "mine"\nlocation = "-"\n')
    assert flaw(Checking(()), model, suite=suite) == Problem(path=models, line=3, what=what)
    assert flaw(Declaring(()), model, suite=suite) is None


def test_a_case_that_asks_for_nothing_is_never_refused() -> None:
    """One request in flight is no load that needs a word."""
    assert isinstance(a_plain_cell().case, Case)
    assert refusal(Declaring(()), a_plain_cell()) is None
    assert refusal(Declaring(()), asks(a_plain_cell(), load=Load(concurrency=1))) is None
