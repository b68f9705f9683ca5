"""A file of labelled answers is read whole, and everything that is wrong with it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.scoring.judge_items import Item, demand_labels, load

GOOD = """\
version = 1
[judge]
preset = "pocket"
[[item]]
prompt = "Where?"
reference = "Oslo"
answer = "Rome"
label = "incorrect"
[[item]]
prompt = "Where?"
answer = "Oslo"
people = ["correct", "correct", "incorrect"]
[[item]]
prompt = "Where?"
answer = ""
people = ["correct", "incorrect"]
"""


def written(tmp_path: Path, text: str) -> Path:
    """Return a file of that text."""
    path = tmp_path / "labels.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_right_label_is_the_given_one_or_that_of_most_people(tmp_path: Path) -> None:
    """People of two minds leave an item without one; an empty answer is an answer."""
    found = load(written(tmp_path, GOOD))
    assert found.options == {"preset": "pocket"}
    assert [item.label for item in found.items] == ["incorrect", "correct", None]
    assert found.items[0] == Item(prompt="Where?", answer="Rome", label="incorrect", reference="Oslo")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (GOOD.replace("version = 1\n", ""), 1, "needs version = 1"),
        ("version = 1", 1, "has no item; begin each one with [[item]]"),
        (GOOD.replace('answer = "Rome"\n', ""), 4, "item number 1 needs answer"),
        (GOOD.replace('label = "incorrect"\n', ""), 4, "item number 1 needs label"),
        (GOOD.replace("answer =", "anser =", 1), 7, 'unknown key "anser"'),
        (GOOD.replace('preset = "pocket"', 'judge = "x"'), 3, "[judge] has judge, which is given elsewhere"),
        ("version = ", 1, "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    """Before a model is loaded."""
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text))
    assert any(problem.line == line and what in problem.what for problem in raised.value.problems)


def test_a_label_that_the_judge_cannot_give_is_refused(tmp_path: Path) -> None:
    """With the one that may be meant."""
    path = written(tmp_path, GOOD)
    with pytest.raises(
        UsageError, match=r'item number 1 has the label "incorrect", .*did you mean "incorect"'
    ):
        demand_labels(load(path), ("correct", "incorect"), path=path)
