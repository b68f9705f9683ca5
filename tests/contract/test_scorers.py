"""The contract, kept by the scorers that ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gemma_eval import plugins
from gemma_eval.protocols import ScorerFactory
from gemma_eval.records import Case, Generation, Option, Options, Score
from tests.contract.scorer_contract import ScorerContract
from tests.required import module

SCORERS = plugins.load().scorers
NONE: Options = {}
REFERENCE: Options = {"reference": ("He lives in Oslo.", "Rome")}
TEXT: Options = {"text": "He lives in Oslo."}
TWO: Options = {"k": 2}
ALL: Options = {"all": ("Oslo", "é")}
OPTIONS: Mapping[str, Options] = {
    **dict.fromkeys(("acc", "acc_bytes", "acc_mutual_info", "acc_norm", "brier"), NONE),
    **dict.fromkeys(("choice_exact_match", "choice_probability"), NONE),
    **dict.fromkeys(("bits_per_byte", "greedy_match", "likelihood"), NONE),
    **dict.fromkeys(("determinism", "distinct_n", "self_bleu"), NONE),
    **dict.fromkeys(("bleu", "chrf", "exact_match", "fuzzy", "ter", "token_f1"), REFERENCE),
    **dict.fromkeys(("rouge1", "rouge2", "rougeL"), REFERENCE),
    **dict.fromkeys(("equals", "levenshtein", "starts_with"), TEXT),
    **dict.fromkeys(("contains", "icontains"), ALL),
    **dict.fromkeys(("recall", "precision", "hit_rate", "mrr", "map", "ndcg"), TWO),
    **dict.fromkeys(("context_precision", "context_recall", "groundedness", "abstention"), NONE),
    "citation": {"least": 0.3},
    "choice_letter": {"letter": "B"},
    "contains_json": {"schema": '{"required": ["name"]}'},
    "json_equals": {"value": '{"name": "Finn", "age": 3}'},
    "json_schema": {"schema": '{"properties": {"name": {"pattern": "(a+)+$"}}}'},
    "judge": {"judge": "pocket", "rubric": "Is it a town?"},
    "judge_pairwise": {"judge": "pocket", "against": "He lives in Rome."},
    "latency": {"max_s": 1.0},
    "numeric": {"value": -1234.5, "relative": 0.1},
    "regex": {"pattern": "(a+)+$"},
    "similarity": {"reference": "He lives in Oslo.", "embedder": "letters"},
    "token_count": {"most": 10},
    "word_count": {"least": 1, "most": 10},
}
SLOW = ("bleu", "chrf", "self_bleu", "ter")
"""These take a microsecond or more for each character."""
EXTRA = ("bleu", "self_bleu", "ter")
"""These need the extra `text-metrics`."""


def test_every_scorer_is_held_to_it() -> None:
    """A new one must say with which options."""
    assert set(OPTIONS) == set(SCORERS)


@pytest.mark.parametrize("name", OPTIONS)
class TestShipped(ScorerContract):
    """Each by its name, through the door that a run uses."""

    @pytest.fixture
    def factory(self, name: str) -> ScorerFactory:
        """What is registered."""
        if name in EXTRA:
            module("sacrebleu", extra="text-metrics")
        if name in SLOW:
            self.longest = 3_000
        return SCORERS.find(name)

    @pytest.fixture
    def options(self, name: str) -> Options:
        """Options as a suite gives them."""
        return OPTIONS[name]


class Flawed(ScorerContract):
    """A scorer that counts what it has judged."""

    def broken(self, options: Options) -> object:
        """Build it."""
        options.setdefault("seen", 0)  # type: ignore[attr-defined]

        def score(case: Case, generation: Generation) -> Score:
            options["seen"] += 1  # type: ignore[index, operator]
            value = 1 / options["seen"]  # type: ignore[operator]
            return Score(scorer="broken", value=value, passed=None)

        return score


def test_the_contract_notices_a_scorer_that_remembers_and_changes_its_options() -> None:
    """And one that gives more than 1, or a figure that nobody can record."""
    contract = Flawed()
    options: dict[str, Option] = {}
    scorer = contract.broken(options)
    case = contract.a_case("answer")
    with pytest.raises(AssertionError):
        contract.test_nothing_that_was_given_is_changed(scorer, contract.broken, options, case)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        contract.test_the_same_answer_has_the_same_score(scorer, contract.broken, {}, None, case)  # type: ignore[arg-type]
    fine = Score(scorer="broken", value=1.0, passed=None)
    for flaw in ({"value": 1.5}, {"value": None}, {"scorer": "other"}, {"passed": True}):
        flawed = replace(fine, **flaw)
        with pytest.raises(AssertionError):
            contract.test_every_text_has_a_value_or_a_reason(
                lambda case, generation, flawed=flawed: flawed, "broken", case
            )
    infinite = replace(fine, figures={"x": float("inf")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        contract.test_a_score_can_be_recorded_and_read(lambda case, generation: infinite, case)
