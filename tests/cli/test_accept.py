"""`gemma-eval accept` as a person uses it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli.accept import accept
from gemma_eval.config.accepted import load_accepted
from gemma_eval.errors import ConfigError, StoreError, UnknownName, UsageError
from gemma_eval.records import Acceptance, Comparison, Gate, Gated, Gating, Group, Verdict
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

TODAY = datetime.now(UTC).date()


def a_gated(
    gate: str, template: str, verdict: Verdict, *, difference: float | None = 0.06, expires: str | None = None
) -> Gated:
    """Return a gate on the template, accepted until a day if one is given."""
    comparison = Comparison(
        metric="score",
        shared="greedy",
        unit="case",
        n=100,
        base=0.9,
        candidate=0.84,
        difference=difference,
        low=0.04,
        high=0.08,
        level=0.05,
        margin=0.02,
        detectable=None,
        needed=None,
        verdict=verdict,
    )
    gated = Gated(
        gate=Gate(id=gate, metric="score", margin=0.02),
        group=Group(model="pocket", profile="greedy", template=template),
        label=template,
        comparison=comparison,
    )
    return gated if expires is None else replace(gated, acceptance=_accepted(gated, expires))


def _accepted(gated: Gated, expires: str) -> Acceptance:
    return Acceptance(
        gate=gated.gate.id,
        group="pocket/greedy/rag",
        difference=0.06,
        low=0.04,
        reason="known",
        author="Ada",
        run="r",
        commit=None,
        accepted="2026-01-01",
        expires=expires,
    )


GATED = (
    a_gated("score", "rag", "REGRESSED"),
    a_gated("score", "plain", "PASS"),
    a_gated("facts", "rag", "REGRESSED"),
    a_gated("facts", "plain", "REGRESSED"),
    a_gated("speed", "rag", "INCONCLUSIVE"),
    a_gated("speed", "plain", "PASS"),
    a_gated("known", "rag", "ACCEPTED", expires="2026-12-24"),
    a_gated("odd", "rag", "REGRESSED", difference=None),
)


def write(path: Path, gated: Sequence[Gated] | None) -> None:
    """Record a run with what became of its gates."""
    outcome = an_outcome()
    run = replace(a_run("one"), commit="0123abc")
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial])
        store.record("one", outcome)
        store.finish("one", "done")
        if gated is not None:
            store.gate(Gating(candidate="one", base=None, found="none", blocks=0, gated=tuple(gated)))


@pytest.fixture(autouse=True)
def ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, as Ada."""
    (tmp_path / "gitconfig").write_text("[user]\nname = Ada Lovelace\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str, gated: Sequence[Gated] | None = GATED) -> str:
    """Run the command on a run of those gates; errors that `gemma-eval` would print are raised."""
    write(Path("results.db"), gated) if not Path("results.db").exists() else None
    command = [*arguments, "--db", "results.db"]
    result = CliRunner().invoke(accept, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_regression_is_accepted_for_thirty_days() -> None:
    """With its figures, by whom, and when it expires."""
    output = invoke("latest", "score", "--reason", " The template is shorter. ")
    until = (TODAY + timedelta(days=30)).isoformat()
    assert load_accepted(Path("gemma-accepted.toml")) == (
        Acceptance(
            gate="score",
            group="pocket/greedy/rag",
            difference=0.06,
            low=0.04,
            reason="The template is shorter.",
            author="Ada Lovelace",
            run="one",
            commit="0123abc",
            accepted=TODAY.isoformat(),
            expires=until,
        ),
    )
    assert output.splitlines() == [
        f"gemma-accepted.toml: score[pocket/greedy/rag] of run one is accepted until {until}",
        "commit the file; gemma-eval gate one --db results.db then says ACCEPTED",
    ]


def test_one_of_several_groups_is_named_by_the_id_or_by_an_option() -> None:
    """Both say the same."""
    invoke("one", "facts[pocket/greedy/plain]", "--reason", "x", "--expires", "2w", "--file", "a.toml")
    invoke("one", "facts", "--group", "pocket/greedy/rag", "--reason", "x", "--file", "a.toml")
    found = load_accepted(Path("a.toml"))
    assert [each.group for each in found] == ["pocket/greedy/plain", "pocket/greedy/rag"]
    assert found[0].expires == (TODAY + timedelta(days=14)).isoformat()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("facts",), r'facts regressed in 2 groups; accept them one by one: "facts\[pocket/greedy/rag\]"'),
        (("speed",), r"speed\[pocket/greedy/rag\] is INCONCLUSIVE; speed\[pocket/greedy/plain\] is PASS"),
        (("score[pocket/greedy/plain]",), r"score\[pocket/greedy/plain\] is PASS"),
        (("score", "--group", "pocket/greedy/plain"), r"score\[pocket/greedy/plain\] is PASS"),
        (("known",), r"known\[pocket/greedy/rag\] is ACCEPTED until 2026-12-24"),
        (("odd",), "has no difference"),
        (("score", "--reason", " "), "--reason is empty"),
        (("score", "--expires", "soon"), '"soon" is no time to expire'),
        (("score", "--expires", "2020-01-01"), "2020-01-01 is over"),
    ],
)
def test_what_cannot_be_accepted_is_told_and_nothing_is_written(
    arguments: tuple[str, ...], message: str
) -> None:
    """There is no way to accept all at once."""
    with pytest.raises(UsageError, match=message):
        invoke("one", "--reason", "x", *arguments)
    assert not Path("gemma-accepted.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one", "scroe"), 'no gate named "scroe"; did you mean "score"?'),
        (("one", "score[pocket/greedy/rga]"), r'did you mean "score\[pocket/greedy/rag\]"\?'),
        (("one", "score", "--group", "pocket/greedy/rga"), 'did you mean "pocket/greedy/rag"'),
        (("tow", "score"), 'no run named "tow"'),
    ],
)
def test_an_unknown_name_is_told(arguments: tuple[str, ...], message: str) -> None:
    """With the nearest that there is."""
    with pytest.raises(UnknownName, match=message):
        invoke(*arguments, "--reason", "x")


def test_a_run_without_gates_is_told() -> None:
    """And what would make them."""
    with pytest.raises(UsageError, match="was held against no gate; gemma-eval gate one does that"):
        invoke("one", "score", "--reason", "x", gated=None)


def test_a_run_of_which_no_gate_is_told() -> None:
    """Nothing can be accepted there."""
    with pytest.raises(UsageError, match="no gate that is about any of its groups"):
        invoke("one", "score", "--reason", "x", gated=())


def test_a_database_that_is_not_there_is_not_made() -> None:
    """Accepting only reads it."""
    with pytest.raises(StoreError):
        CliRunner().invoke(accept, ["one", "score", "--reason", "x", "--db", "no.db"], catch_exceptions=False)
    assert not Path("no.db").exists()


def test_a_file_with_a_problem_is_left_alone() -> None:
    """With the line of the problem."""
    Path("gemma-accepted.toml").write_text("[[accepted]]\ngate = 1\n")
    with pytest.raises(ConfigError, match=r"gemma-accepted.toml:2: accepted number 1: gate is 1"):
        invoke("one", "score", "--reason", "x")
    assert Path("gemma-accepted.toml").read_text() == "[[accepted]]\ngate = 1\n"


def test_who_has_no_name_in_git_has_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none at all cannot accept."""
    Path("gitconfig").write_text("")
    monkeypatch.setenv("USER", "ada")
    invoke("one", "score", "--reason", "x")
    assert load_accepted(Path("gemma-accepted.toml"))[0].author == "ada"
    monkeypatch.setenv("USER", " ")
    with pytest.raises(UsageError, match=r"nobody is named who accepts it; set one, as git config"):
        invoke("one", "score", "--reason", "x")


def test_without_git_the_user_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no program of that name is found."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("USER", "ada")
    invoke("one", "score", "--reason", "x")
    assert load_accepted(Path("gemma-accepted.toml"))[0].author == "ada"
