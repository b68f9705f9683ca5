"""`gemma-eval import`, used as a person would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.__main__ import main
from gemma_eval.cli import command
from gemma_eval.errors import UsageError
from gemma_eval.plugins import load
from tests.importers.imported import CHOOSING, FIXTURES, WRITING, task, write_rows


def run(*arguments: object) -> Result:
    """Run the command with these arguments."""
    given = ("import", *map(str, arguments))
    return CliRunner().invoke(command(load()), given, catch_exceptions=False)


def test_a_task_is_imported_and_the_files_are_named(tmp_path: Path) -> None:
    """One path a line, and what a person has to know beside them."""
    result = run(
        "lm-eval", FIXTURES / "lm_eval" / "gsm8k-cot.yaml", "--data", rows("gsm8k"), "--out", tmp_path
    )
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        str(tmp_path / name) for name in ("gsm8k_cot.toml", "data/gsm8k_cot.jsonl", "profiles.json")
    ]
    assert result.stderr == (
        "note: Only the first check counts for the score of a case; the others, of weight 0, are recorded.\n"
    )


def rows(name: str) -> Path:
    """Return the path of rows that were made up."""
    return FIXTURES / "data" / f"{name}.jsonl"


def test_two_tasks_fit_into_one_folder(tmp_path: Path) -> None:
    """Their profiles stand in one file."""
    for name in ("nq_open", "triviaqa"):
        path = FIXTURES / "lm_eval" / f"{name}.yaml"
        assert run("lm-eval", path, "--data", rows(name), "--out", tmp_path).exit_code == 0
    assert list(json.loads((tmp_path / "profiles.json").read_text())["profiles"]) == ["nq_open", "triviaqa"]


def test_the_options_of_a_task_reach_it(tmp_path: Path) -> None:
    """Splits by name, examples, seed, rows, models, name and what stands before a choice."""
    result = run(
        *("lm-eval", FIXTURES / "lm_eval" / "boolq.yaml", "--data", f"validation={rows('boolq')}"),
        *("--data", f"train={rows('boolq_train')}", "--num-fewshot", 2, "--fewshot-seed", 7, "--limit", 1),
        *("--model", "pocket", "--model", "pocket-f16", "--name", "mine", "--chat", "--out", tmp_path),
    )
    assert result.exit_code == 0
    text = (tmp_path / "mine.toml").read_text()
    assert "delimiter" not in text
    assert '"pocket-f16"' in text
    (row,) = (tmp_path / "data" / "mine.jsonl").read_text().splitlines()
    assert json.loads(row)["examples"].count("Answer:") == 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("openai-evals", ("--match", "includes", "--ignore-case")),
        ("inspect", ("--scorer", "includes")),
    ],
)
def test_rows_of_others_are_imported(tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    """Without a template or a profile."""
    path = write_rows(tmp_path / "qa.jsonl", [{"input": "Where?", "ideal": "Oslo", "target": "Oslo"}])
    result = run(name, path, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert 'scorer = "icontains"' in (tmp_path / "out" / "qa.toml").read_text()


def test_a_configuration_of_promptfoo_is_imported(tmp_path: Path) -> None:
    """With the model that judges."""
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("prompts: [Hi.]\ntests: [{assert: [{type: llm-rubric, value: is kind}]}]\n")
    assert run("promptfoo", path, "--judge", "pocket", "--out", tmp_path / "out").exit_code == 0
    assert 'judge = "pocket"' in (tmp_path / "out" / "promptfooconfig.toml").read_text()


def test_what_cannot_be_carried_over_is_one_line_each_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, as for every mistake that a person can mend."""
    path = task(tmp_path, WRITING + "process_docs: !function utils.f\nx: !!python/name:os.system\n")
    with pytest.raises(SystemExit) as caught:
        main(["import", "lm-eval", str(path), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines[:1]] == ["gemma-eval"]
    assert len(lines) == 2
    assert "task.yaml:9: " in lines[0]
    assert "task.yaml:10: " in lines[1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--data", "nobody.jsonl"), "there is no file nobody.jsonl"),
        (("--data", "test=nobody.jsonl"), "there is no file nobody.jsonl"),
        (("--data", "rows.jsonl", "--data", "rows.jsonl"), "more than one file has no split"),
        (("--data", "a=rows.jsonl", "--data", "a=rows.jsonl"), "the split a is given twice"),
        (("--name", "a b"), 'use letters, digits and _ . + -, as "a-b"'),
    ],
)
def test_a_wrong_option_says_what_would_be_right(
    tmp_path: Path, arguments: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read."""
    path = task(tmp_path, CHOOSING)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        run("lm-eval", path, *arguments, "--out", "out")
    assert what in str(caught.value)


def test_help_says_what_each_import_reads() -> None:
    """Of the group, and of each of its commands."""
    assert "lm-eval" in run("--help").output
    for name in ("lm-eval", "openai-evals", "inspect", "promptfoo"):
        assert "--out DIR" in run(name, "--help").output
