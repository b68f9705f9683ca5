"""An import is written as a whole or not at all, the same bytes each time, over nothing of a person's."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.importers.lm_eval.convert import Wanted
from gemma_eval.importers.written import Choice, Imported, slug, toml, write
from tests.importers.imported import CHOOSING, WRITING, imported, task

MADE = Imported(
    name="home",
    framework="a test",
    suite={"suite": {"name": "home"}, "case": [{"id": "home", "prompt": 'a\n"b"\\n\t{{ x }}'}]},
    rows={"data/home.jsonl": [{"x": "ü\u2028\n"}]},
    profiles={"home": {"temperature": 0, "stop": ["\n"]}},
    sources={"task.yaml": "0" * 64},
    notes=("Only the first check counts.",),
)


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_import_writes_the_same_bytes(tmp_path: Path) -> None:
    """Whatever folder it goes to, and however the file is called from."""
    path = task(tmp_path, WRITING)
    for name in ("a", "b"):
        write(imported(path), tmp_path / name, replaces=False)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert sorted(files(tmp_path / "a")) == ["data/home.jsonl", "home.toml", "profiles.json"]


def test_a_suite_says_what_it_was_made_of(tmp_path: Path) -> None:
    """Framework, files, hashes and what a reader has to know, in comments at its top."""
    text = toml(imported(task(tmp_path, CHOOSING))).decode()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head[0] == "# Imported from lm-evaluation-harness by gemma-eval import: task.yaml, rows.jsonl"
    assert [line.split()[-1] for line in head[1:3]] == ["task.yaml", "rows.jsonl"]
    assert all(len(line.split()[2]) == 64 for line in head[1:3])
    assert str(tmp_path) not in text


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", '"""', "\\", "\x7f\x00", "\n", "'''\t"])
def test_texts_survive_the_toml(text: str) -> None:
    """Line ends, quotes and control characters among them."""
    made = replace(MADE, suite={"case": [{"prompt": text}]})
    assert tomllib.loads(toml(made).decode())["case"][0]["prompt"] == text


def test_a_name_cannot_break_out_of_a_comment() -> None:
    """Nor can a note."""
    made = replace(MADE, sources={"x\n[suite]\ny.yaml": "0"}, notes=("a\nb = 1",))
    assert tomllib.loads(toml(made).decode()) == tomllib.loads(toml(MADE).decode())


def test_what_exists_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    """And then nothing of the new is written either."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "home.jsonl").write_text("mine")
    with pytest.raises(
        UsageError, match=r"home\.jsonl: exists; give another folder with --out, or --replace"
    ):
        write(MADE, tmp_path, replaces=False)
    assert files(tmp_path) == {"data/home.jsonl": b"mine"}
    write(MADE, tmp_path, replaces=True)
    assert files(tmp_path)["data/home.jsonl"] != b"mine"


def test_a_link_or_a_folder_is_never_replaced(tmp_path: Path) -> None:
    """What it leads to stays as it was."""
    (tmp_path / "else").write_text("mine")
    (tmp_path / "home.toml").symlink_to(tmp_path / "else")
    with pytest.raises(UsageError, match="is no ordinary file, and is not replaced"):
        write(MADE, tmp_path, replaces=True)
    assert files(tmp_path) == {"else": b"mine", "home.toml": b"mine"}


def test_profiles_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    """So that several tasks can be imported into one folder; another one of the name is not replaced."""
    path = tmp_path / "profiles.json"
    path.write_text('{"version": 1, "profiles": {"mine": {"temperature": 1}}}')
    write(MADE, tmp_path, replaces=False)
    assert list(json.loads(path.read_text())["profiles"]) == ["mine", "home"]
    path.write_text('{"version": 1, "profiles": {"home": {"temperature": 1}}}')
    (tmp_path / "home.toml").unlink()
    (tmp_path / "data" / "home.jsonl").unlink()
    with pytest.raises(UsageError, match='has another profile "home"'):
        write(MADE, tmp_path, replaces=False)
    assert list(files(tmp_path)) == ["profiles.json"]
    write(MADE, tmp_path, replaces=True)
    assert json.loads(path.read_text())["profiles"]["home"]["temperature"] == 0


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"version": 2, "profiles": {}}', '{"version": 1, "profiles": 3}']
)
def test_a_profiles_file_that_is_none_is_not_replaced(tmp_path: Path, text: str) -> None:
    """It is somebody's."""
    (tmp_path / "profiles.json").write_text(text)
    with pytest.raises(UsageError, match="is not replaced"):
        write(MADE, tmp_path, replaces=True)
    assert files(tmp_path) == {"profiles.json": text.encode()}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written: "):
        write(MADE, tmp_path / "out", replaces=True)
    assert files(tmp_path) == {"out": b"mine"}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The second file cannot be written, so that the first one is not there either."""
    made = replace(MADE, rows={"data/home.jsonl": [{}], "home.toml/x.jsonl": [{}]})
    (tmp_path / "data").mkdir()
    (tmp_path / "home.toml").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written"):
        write(made, tmp_path, replaces=True)
    assert files(tmp_path) == {"home.toml": b"mine"}


def test_a_suite_that_is_too_large_to_be_read_is_not_written(tmp_path: Path) -> None:
    """A suite file has at most 1 MiB."""
    made = replace(MADE, suite={"case": [{"prompt": "x" * (1 << 20)}]})
    with pytest.raises(UsageError, match="a suite has at most 1,048,576"):
        write(made, tmp_path, replaces=False)
    assert files(tmp_path) == {}


def test_names_are_made_of_what_names_may_have(tmp_path: Path) -> None:
    """A task may be called anything."""
    assert slug("bbh/cot: é") == "bbh-cot"
    assert slug("../..") == "imported"
    path = task(tmp_path, CHOOSING.replace("task: home", 'task: "../../etc/x y"'))
    assert imported(path).name == "etc-x-y"
    assert imported(path, Wanted(choice=Choice(name="mine"))).name == "mine"
