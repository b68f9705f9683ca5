"""`gemma-eval judge calibrate` says whether a judge can be trusted, and its exit code says it to a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval import plugins
from gemma_eval.cli import command
from gemma_eval.errors import UnknownName
from gemma_eval.scoring.judge_items import load

SUITES = Path(__file__).parents[2] / "suites"

LABELS = """\
version = 1
[judge]
rubric = "Is it a town?"
labels = ["yes", "no"]
"""


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(command(plugins.load()), ["judge", "calibrate", *arguments])


def labelled(folder: Path, *, reply: str, n: int = 12) -> Path:
    """Write a judge that always says `reply`, and answers that are right in turn."""
    (folder / "models.toml").write_text(
        'version = 1\n[model.parrot]\nbackend = "scripted"\nlocation = "-"\n'
        f'options = {{ reply = "{reply}" }}\n',
        encoding="utf-8",
    )
    items = [
        f'[[item]]\nprompt = "Name a town. ({i // 2})"\nanswer = "{answer}"\nlabel = "{label}"\n'
        for i in range(n)
        for answer, label in [("Oslo", "yes") if i % 2 else ("blue", "no")]
    ]
    path = folder / "labels.toml"
    path.write_text(LABELS + "".join(items), encoding="utf-8")
    return path


def test_the_pocket_model_is_trusted_with_what_it_was_trained_for() -> None:
    """The labelled answers that ship; none of them was trained on."""
    result = run("--json", "--repeats", "1")
    found = json.loads(result.output)
    assert result.exit_code == 0
    assert found["items"] >= 60
    assert found["kappa"]["value"] > 0.9
    assert found["trust"] == "trusted"
    assert found["labels"]["flip_rate"] < 0.05


def test_what_ships_is_held_out_from_training() -> None:
    """Each question, reference and answer, by the rule of training/heldout.py; half of them are right."""
    from heldout import is_held_out  # of training/, which tests have on their path

    items = load(SUITES / "judge_calibration.toml").items
    assert all(is_held_out("judge", item.prompt, item.reference, item.answer) for item in items)
    assert len(set(items)) == len(items)
    assert sum(item.label == "correct" for item in items) * 2 == len(items)


def test_a_parrot_is_not_trusted(tmp_path: Path) -> None:
    """Its table shows why, in 80 columns."""
    result = run(str(labelled(tmp_path, reply="yes")), "--judge", "parrot", "--repeats", "2")
    assert result.exit_code == 1
    assert "agrees with the labels       50.0%  by chance 50.0%" in result.output
    assert "the same again            12 of 12" in result.output
    assert "parrot cannot be trusted: kappa is at most 0.49" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_judge_that_prefers_a_place_is_shown_by_pairs(tmp_path: Path) -> None:
    """It says A whatever stands there."""
    result = run(str(labelled(tmp_path, reply="A")), "--judge", "parrot", "--repeats", "1", "--json")
    found = json.loads(result.output)
    assert found["pairs"]["n"] == found["pairs"]["flips"] == 6
    assert found["pairs"]["position_bias"] == 0.5
    assert found["unscored"] == 12
    assert found["reasons"] == ['the judge gave no verdict: "A"']


def test_an_unknown_judge_is_named_with_what_is_near(tmp_path: Path) -> None:
    """Before anything is loaded."""
    result = run(str(labelled(tmp_path, reply="A")), "--judge", "parot")
    assert isinstance(result.exception, UnknownName)
    assert 'did you mean "parrot"?' in str(result.exception)


@pytest.mark.parametrize("name", ["nothing.toml", "nothing"])
def test_a_file_that_is_not_there_is_said(name: str) -> None:
    """As a problem of that file."""
    result = run(name)
    assert "cannot be read" in str(result.exception)
