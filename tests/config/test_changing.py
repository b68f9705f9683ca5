"""A file is changed by one writer at a time, is checked before it is written, and no version is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config import profiles, shipped
from gemma_eval.config.backups import FOLDER, listed
from gemma_eval.config.changing import change, locked
from gemma_eval.errors import ConfigError
from gemma_eval.files.writing import ABSENT, digest

TEXT = '{\n  "version": 1,\n  "profiles": {\n    "calm": {"temperature": 0.2}\n  }\n}\n'


def check(path: Path) -> Callable[[str], object]:
    """Return what reads a text as profiles.json does."""
    return lambda text: profiles.parse(text, path=path)


def with_profile(name: str, temperature: float = 0.5) -> Callable[[str], str]:
    """Return an edit that adds a profile, to a file or to none."""

    def edit(text: str) -> str:
        table = json.loads(text or '{"version": 1, "profiles": {}}')
        table["profiles"][name] = {"temperature": temperature}
        return json.dumps(table, indent=2) + "\n"

    return edit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one profile."""
    path = tmp_path / "profiles.json"
    path.write_text(TEXT)
    return path


def test_both_texts_of_a_change_are_returned(path: Path) -> None:
    """With what differs between them, as diff shows it."""
    change_made = change(path, lambda text: text.replace("0.2", "0.3"), check=check(path))
    assert (change_made.path, change_made.before, change_made.after) == (path, TEXT, path.read_text())
    assert change_made.is_one
    assert change_made.diff().splitlines()[3:] == [
        " {",
        '   "version": 1,',
        '   "profiles": {',
        '-    "calm": {"temperature": 0.2}',
        '+    "calm": {"temperature": 0.3}',
        "   }",
        " }",
    ]


def test_a_file_that_is_not_there_is_made_with_its_folder(tmp_path: Path) -> None:
    """As the first one of a user; the edit is given an empty text."""
    path = tmp_path / "user" / "gemma_eval" / "profiles.json"
    made = change(path, with_profile("mine"), check=check(path))
    assert made.before == ""
    assert list(profiles.load(path)) == ["mine"]


def test_what_was_there_and_what_is_written_are_kept(path: Path) -> None:
    """The one for who regrets it, the other for the day that the file is damaged; git sees neither."""
    change(path, with_profile("mine"), check=check(path))
    assert [each.path.read_text() for each in listed(path)] == [path.read_text(), TEXT]
    assert (path.parent / FOLDER / ".gitignore").read_text() == "*\n"
    assert sorted(os.listdir(path.parent)) == [FOLDER, "profiles.json"]  # noqa: PTH208


@pytest.mark.parametrize("n", [0, 1, 3])
def test_so_many_earlier_versions_are_kept_as_is_chosen(path: Path, n: int) -> None:
    """Beside that of what is written."""
    for number in range(6):
        change(path, with_profile(f"p{number}"), check=check(path), backups=n)
    versions = listed(path)
    assert len(versions) == n + 1
    assert versions[0].path.read_text() == path.read_text()


def test_an_edit_that_changes_nothing_writes_nothing(path: Path) -> None:
    """The file is the same one, and no version is kept of it."""
    before = path.stat()
    assert not change(path, lambda text: text, check=check(path)).is_one
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert listed(path) == ()


def test_a_dry_run_writes_nothing_at_all(path: Path) -> None:
    """And says the same as the change would, also what is wrong."""
    tried = change(path, with_profile("mine"), check=check(path), dry_run=True)
    assert (path.read_text(), os.listdir(path.parent)) == (TEXT, ["profiles.json"])  # noqa: PTH208
    assert tried == change(path, with_profile("mine"), check=check(path))
    with pytest.raises(ConfigError, match="temperature is -1"):
        change(path, with_profile("mine", -1), check=check(path), dry_run=True)


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    """A wrong value, no JSON, an empty text, half a letter, and more than a file may hold."""
    wrong: dict[str, Callable[[str], str]] = {
        "temperature is -1": with_profile("mine", -1),
        "is not JSON": lambda text: text[:-3],
        "would be empty": lambda _: "\n",
        "zero bytes": lambda text: f"{text}\0",
        "cannot hold half of a letter": lambda text: text.replace("calm", "\ud800"),
        "would be larger than": lambda text: text + " " * (1 << 20),
    }
    for what, edit in wrong.items():
        takes_all: Callable[[str], object] = check(path) if what[:2] in ("te", "is") else len
        with pytest.raises(ConfigError, match=what):
            change(path, edit, check=takes_all)
    assert path.read_text() == TEXT
    assert listed(path) == ()


def test_a_file_that_cannot_be_read_is_not_edited(path: Path) -> None:
    """It is said with its place, and left as it is."""
    path.write_bytes(b'{\n"version": \xff}')
    with pytest.raises(ConfigError, match=rf"{path}:2: is not UTF-8 here"):
        change(path, with_profile("mine"), check=check(path))
    assert path.read_bytes() == b'{\n"version": \xff}'


def test_an_edit_by_hand_in_the_same_moment_is_kept(path: Path) -> None:
    """The command is refused, for what it had read is no longer so."""

    def edit(text: str) -> str:
        path.write_text(TEXT.replace("0.2", "0.9"))
        return with_profile("mine")(text)

    with pytest.raises(ConfigError, match="was changed by somebody else meanwhile, and is left as it is"):
        change(path, edit, check=check(path))
    assert path.read_text() == TEXT.replace("0.2", "0.9")
    change(path, with_profile("mine"), check=check(path))
    assert profiles.load(path)["calm"].temperature == 0.9


def test_what_has_changed_since_the_caller_read_it_is_refused(path: Path, tmp_path: Path) -> None:
    """Also a file that is not there, when it was, and one that is there, when it was not."""
    seen = digest(path.read_bytes())
    change(path, with_profile("one"), check=check(path), seen=seen)
    with pytest.raises(ConfigError, match="was changed by somebody else"):
        change(path, with_profile("two"), check=check(path), seen=seen)
    with pytest.raises(ConfigError, match="was changed by somebody else"):
        change(path, with_profile("two"), check=check(path), seen=ABSENT)
    absent = tmp_path / "absent" / "profiles.json"
    with pytest.raises(ConfigError, match="was changed by somebody else"):
        change(absent, with_profile("two"), check=check(path), seen=seen)
    assert not absent.exists()
    change(absent, with_profile("two"), check=check(path), seen=ABSENT)


def test_who_waits_too_long_is_told_what_is_held(path: Path) -> None:
    """The lock is that of the file, by whatever name it is called."""
    link = path.with_name("link.json")
    link.symlink_to(path.name)
    with locked(path):
        with pytest.raises(ConfigError) as caught, locked(link, patience_s=0.05):
            raise AssertionError
        with locked(path.with_name("models.toml"), patience_s=0.05):
            pass
    (problem,) = caught.value.problems
    assert problem.path == link
    lock = path.parent / FOLDER / "profiles.json.lock"
    assert (
        problem.what
        == f"another process is changing it, and holds {lock}; wait for that to end and try again"
    )
    with locked(link, patience_s=0.05):
        pass


def test_of_many_writers_none_loses_its_edit(path: Path) -> None:
    """Eight threads, ten edits each, of one file."""

    def add(writer: int) -> None:
        for number in range(10):
            change(path, with_profile(f"p{writer}-{number}"), check=check(path))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(add, writer) for writer in range(8)]:
            done.result()
    assert set(profiles.load(path)) == {"calm"} | {f"p{i}-{j}" for i in range(8) for j in range(10)}


def test_a_file_that_comes_with_the_package_is_not_changed(tmp_path: Path) -> None:
    """Neither by its own name nor through a link."""
    link = tmp_path / "profiles.json"
    link.symlink_to(shipped.suites_directory() / "profiles.json")
    for path in (shipped.suites_directory() / "profiles.json", link):
        with pytest.raises(ConfigError, match=r"comes with gemma_eval and is not changed; .* overrules it"):
            change(path, with_profile("mine"), check=check(path), dry_run=True)


def test_what_is_damaged_is_restored_before_it_is_changed(path: Path) -> None:
    """Else an empty file would pass for a new one, and be written with the one profile that is added."""
    change(path, with_profile("mine"), check=check(path))
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=rf"is empty; .* gemma-eval config restore {path}"):
        change(path, with_profile("other"), check=check(path))
    assert path.read_bytes() == b""


def test_an_empty_file_without_versions_is_a_new_one(tmp_path: Path) -> None:
    """As somebody may have made it with touch."""
    path = tmp_path / "profiles.json"
    path.touch()
    change(path, with_profile("mine"), check=check(path))
    assert list(profiles.load(path)) == ["mine"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_stay_as_they_are(path: Path, ends: str) -> None:
    """The edit sees but one kind."""
    path.write_bytes(TEXT.replace("\n", ends).encode())
    change(path, with_profile("mine"), check=check(path))
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(ends.encode()) > 5
    assert (b"\r" in data) is (ends == "\r\n")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1))
def test_any_text_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No letter is changed on its way to the disk and back."""
    path = tmp_path_factory.mktemp("any") / "any.txt"
    text = f"x{text.removeprefix(chr(0xFEFF))}"
    change(path, lambda _: text, check=len)
    assert change(path, lambda before: before, check=len).before == text
