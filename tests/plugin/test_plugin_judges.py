"""A session with judges: what they say is recorded, what they cannot is unscored, a mistake is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.project import MODELS, head, latest, newest_run

JUDGES = """
[model.kind]
backend = "scripted"
location = "-"
options = { reply = "The answer may say so.\\nGRADE: correct" }
[model.strict]
backend = "scripted"
location = "-"
options = { reply = "incorrect" }
[model.prose]
backend = "scripted"
location = "-"
options = { reply = "That is for you to say." }
[model.odd]
backend = "nothing_of_the_kind"
location = "-"
"""


def judged(check: str, *, n: int = 1, more: str = "") -> str:
    """Return cases whose answers are checked so."""
    return "".join(
        f'[[case]]\nid = "town-{number}"\nprompt = "Where does Finn live?"\n'
        f"checks = [{{ {check} }}]\n{more}\n"
        for number in range(n)
    )


def write(folder: Path, suite: str) -> None:
    """Write the models, the judges and a suite."""
    (folder / "models.toml").write_text(MODELS + JUDGES)
    (folder / "judged.gemma.toml").write_text(head(models=("other",)) + suite)


def check(*judges: str, more: str = "") -> str:
    """Return a check that asks these judges."""
    named = ", ".join(f'"{judge}"' for judge in judges)
    return f'scorer = "judge", judges = [{named}], reference = "Oslo"{more}'


def test_the_votes_of_a_jury_are_recorded_with_what_drives_it(pytester: pytest.Pytester) -> None:
    """The score is their mean; the engines of judges stand in the run beside that of the model."""
    write(pytester.path, judged(check("kind", "strict"), n=2))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    (score,) = latest(pytester.path)[0].scores
    assert score.value == 0.5
    assert [(vote.judge, vote.value, vote.label) for vote in score.votes] == [
        ("kind", 1.0, "correct"),
        ("strict", 0.0, "incorrect"),
    ]
    assert set(newest_run(pytester.path).engines) == {"other", "kind", "strict"}
    result.stdout.fnmatch_lines(["a jury of 2 judged 2 answers, all with a verdict*"])
    result.stdout.no_fnmatch_line("*judges its own*")


def test_a_judge_that_replies_with_prose_costs_a_score_and_not_the_run(pytester: pytest.Pytester) -> None:
    """The answer is unscored, with what the judge said, and the share of such answers has a gate."""
    gate = '[[gate]]\nid = "judge"\nmetric = "unscored"\nlimit = 0.05\n'
    write(pytester.path, gate + judged(check("prose"), n=3))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3, failed=1)
    (score,) = latest(pytester.path)[0].scores
    assert (score.value, score.unscored) == (
        None,
        'prose: the judge gave no verdict: "That is for you to say."',
    )
    result.stdout.fnmatch_lines(["*prose judged 3 answers, 3 of them without a verdict*"])


def test_a_model_that_judges_itself_is_warned_about_once(pytester: pytest.Pytester) -> None:
    """After the run, however many answers it judged."""
    write(pytester.path, judged(check("other"), n=3))
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines(["other judges its own answers, and judges prefer their own."])
    assert result.stdout.str().count("judges its own answers") == 1


def test_a_juror_that_does_not_load_leaves_the_others_to_decide(pytester: pytest.Pytester) -> None:
    """And says why it did not."""
    write(pytester.path, judged(check("broken", "kind")))
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    (score,) = latest(pytester.path)[0].scores
    assert score.value == 1
    assert str(score.votes[0].reason).startswith("model_not_found: ")


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        (
            judged(check("kind"), more='kind = "benchmark"'),
            "judge asks a model, and a benchmark measures the one",
        ),
        (judged(check("knid")), '*no model named "knid"; did you mean "kind"?'),
        (judged(check("odd")), '*no backend (of model "odd") named "nothing_of_the_kind"'),
        (judged(check("kind", more=', vote = "median"')), '"vote" must be "mean" or "majority"'),
    ],
)
def test_what_is_wrong_with_a_judge_is_said_before_anything_runs(
    pytester: pytest.Pytester, suite: str, said: str
) -> None:
    """With what would be right."""
    write(pytester.path, suite)
    result = pytester.runpytest_inprocess()
    assert result.ret != 0
    shown = [*result.outlines, *result.errlines]
    assert any(said.strip("*") in line for line in shown), shown
    assert not (pytester.path / "reports").exists()
