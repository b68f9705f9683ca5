"""The filter multi_choice_regex finds the choice that lm-evaluation-harness finds, by its own recording.

tests/importers/fixtures/lm_eval.json was recorded with lm_eval 0.4.13 by record_lm_eval.py beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.records import Filter, Option
from gemma_eval.scoring.filters import build
from tests.importers.fixtures.record_lm_eval import CHOICES, CHOOSING, RECORDED, TEXTS

Made = Sequence[Sequence[Sequence[str]]]
PATTERN = r"(\([A-Z]\))"


def chosen(text: str, choices: Option, **options: Option) -> str:
    """Return what the filter makes of a text."""
    given: dict[str, Option] = {"pattern": PATTERN, "choices": choices, **options}
    return build([Filter(name="multi_choice_regex", options=given)])(text)


def here(options: Mapping[str, Option]) -> dict[str, Option]:
    """Return options as this package calls them."""
    renamed = {"regex_pattern": "pattern", "group_select": "which"}
    return {"fallback": "[invalid]"} | {renamed.get(key, key): value for key, value in options.items()}


def disagreements(made: Made, changes: Mapping[str, Option]) -> int:
    """Return for how many texts this package makes something else than was recorded, some options changed."""
    return sum(
        chosen(text, **{"choices": choices, **here(options), **changes}) != there
        for options, of_options in zip(CHOOSING, made, strict=True)
        for choices, of_choices in zip(CHOICES, of_options, strict=True)
        for text, there in zip(TEXTS, of_choices, strict=True)
    )


@pytest.fixture(scope="module")
def made() -> Made:
    """Return what was recorded, by options, choices and texts."""
    found: Made = json.loads(RECORDED.read_text(encoding="utf-8"))["multi_choice_regex"]
    return found


def test_a_choice_is_found_as_there(made: Made) -> None:
    """By expression, by what a choice says, by a letter, or not at all; choices alike and nested."""
    assert disagreements(made, {}) == 0
    assert len({text for of_options in made for each in of_options for text in each}) > 7


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "none at all"},
        {"which": "first"},
        {"which": "last"},
        {"ignore_case": False},
        {"ignore_punctuation": False},
        {"regexes_to_ignore": ("o",)},
        {"fallback": ""},
        {"choices": ("some", "others", "than")},
    ],
    ids=str,
)
def test_a_planted_error_in_any_option_is_noticed(made: Made, changes: dict[str, Option]) -> None:
    """The recording tells each of them."""
    assert disagreements(made, changes) > 0


def test_the_longest_choice_that_begins_alike_is_the_one_that_is_said() -> None:
    """And letters stand for the choices of the row in their order."""
    films = ("Guilty", "Guilty of Romance")
    assert chosen("I would say Guilty of Romance.", films) == "(B)"
    assert chosen("I would say Guilty of Romance.", films[::-1]) == "(A)"
    assert chosen("Answer: C", films) == ""
    assert chosen("Answer: C", (*films, "none")) == "(C)"


def test_a_match_of_a_number_that_there_is_not_is_none() -> None:
    """Where lm-evaluation-harness would end with an error."""
    assert chosen("(A) (B)", ("x", "y"), which=1) == "(B)"
    assert chosen("(A) (B), x", ("x", "y"), which=2, fallback="none") == "none"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choices": ()}, '"choices" must be a text or a list of texts, not []'),
        ({"choices": ("x",) * 27}, '"choices" has 27 texts, and there are 26 letters'),
        ({"pattern": "(?<=x)"}, '"pattern" "(?<=x)" is not an RE2 expression'),
        ({"regexes_to_ignore": "("}, '"regexes_to_ignore" "(" is not an RE2 expression'),
        ({"which": "lst"}, '"which" must be "first" or "last", not "lst"'),
        ({"group": 1}, 'unknown option "group"'),
    ],
)
def test_a_wrong_option_is_refused_with_its_remedy(options: dict[str, Option], message: str) -> None:
    """When the pipeline is built."""
    with pytest.raises(UsageError, match=r"^multi_choice_regex: ") as raised:
        build([Filter(name="multi_choice_regex", options={"pattern": "x", "choices": ("x",), **options})])
    assert message in str(raised.value)
