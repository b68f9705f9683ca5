"""Of a damaged file the last good version is used and said; what a person may have written is not judged."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemma_eval.config import catalog, models, profiles, restoring, settings_file
from gemma_eval.config.backups import FOLDER, listed
from gemma_eval.config.changing import change
from gemma_eval.config.recovery import command, read_or_last_good
from gemma_eval.errors import ConfigError, UnknownName, UsageError


@dataclass(frozen=True)
class Format:
    """A file that people edit: two texts of it, and what reads them."""

    name: str
    first: str
    second: str
    parse: Callable[..., object]

    def at(self, folder: Path) -> Path:
        """Have a command write the file, and then change it."""
        path = folder / self.name
        for text in (self.first, self.second):
            change(path, lambda _, text=text: text, check=self.reader(path))  # type: ignore[misc]
        return path

    def reader(self, path: Path) -> Callable[[str], object]:
        """Return what reads the text of the file."""
        return lambda text: self.parse(text, path=path)


JSON = Format(
    "profiles.json",
    '{"version": 1, "profiles": {"calm": {"temperature": 0.2}}}\n',
    '{\n  "version": 1,\n  "profiles": {\n    "calm": {"temperature": 0.25, "stop": ["\u00fc"]}\n  }\n}\n',
    profiles.parse,
)
TOML = Format(
    "models.toml",
    'version = 1\n[model.mine]\nbackend = "llama_cpp"\nlocation = "mine.gguf"\n',
    'version = 1  # \u00fc\n[model.mine]\nbackend = "llama_cpp"\nlocation = "m.gguf"\ncontext_tokens = 99\n',
    models.parse,
)
YAML = Format(
    "settings.yaml",
    "version: 1\nbackups: 5\n",
    "# \u00fc\nversion: 1\nbackups: 12\nreload:\n  poll_s: 0.25\n",
    settings_file.parse,
)
FORMATS = [JSON, TOML, YAML]
every_format = pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)


@every_format
def test_a_good_file_is_read_and_nothing_is_said(kind: Format, tmp_path: Path) -> None:
    """Whatever its earlier versions were."""
    path = kind.at(tmp_path)
    assert read_or_last_good(path, kind.reader(path)) == (kind.reader(path)(kind.second), None)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "blank": (lambda _: b" \n\n", "is empty"),
    "filled with zeros": (lambda data: bytes(len(data)), "has zero bytes"),
    "a lost sector": (lambda data: data[:20] + bytes(10) + data[30:], "has zero bytes"),
    "another encoding": (lambda data: data.decode().encode("latin-1"), "is not UTF-8 here"),
    "noise": (lambda data: b"\x93\xfa\x00" + data, "has zero bytes"),
}


@every_format
@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_file_the_last_good_version_is_used(kind: Format, damage: str, tmp_path: Path) -> None:
    """One line says what is wrong, what is used and what to do; the file is left as it is."""
    path = kind.at(tmp_path)
    harm, what = DAMAGES[damage]
    harmed = harm(path.read_bytes())
    path.write_bytes(harmed)
    value, notice = read_or_last_good(path, kind.reader(path))
    assert value == kind.reader(path)(kind.second)
    assert notice is not None
    when = listed(path)[0].when
    assert what in notice
    assert notice.startswith(str(path))
    assert notice.endswith(
        f"; its version of {when} is used; gemma-eval config restore {path} brings that back"
    )
    assert "\n" not in notice
    assert path.read_bytes() == harmed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (JSON, "[]\n"),
        (JSON, "<html>\n<body>\n</body>\n</html>\n"),
        (JSON, '"a text"\n'),
        (TOML, "<html>\n<body>\n</body>\n</html>\n"),
        (TOML, "[]\n"),
        (YAML, "- a\n- list\n"),
        (YAML, "a text\n"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_what_is_of_another_kind_is_damaged(kind: Format, text: str, tmp_path: Path) -> None:
    """As another program writes it in the place of the file."""
    path = kind.at(tmp_path)
    path.write_text(text)
    value, notice = read_or_last_good(path, kind.reader(path))
    assert value == kind.reader(path)(kind.second)
    assert notice is not None


@every_format
def test_a_file_that_breaks_off_anywhere_is_never_read_as_another(kind: Format, tmp_path: Path) -> None:
    """At every byte: the last good version is used; where a line ends, a person could have written it.

    Then it is read as it stands, or is an error: TOML and YAML do not tell where they end.
    """
    path = kind.at(tmp_path)
    whole, good = path.read_bytes(), kind.reader(path)(kind.second)
    used = 0
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            value, notice = read_or_last_good(path, kind.reader(path))
        except ConfigError:
            assert whole[cut - 1 : cut] == b"\n", f"cut at {cut}"
            continue
        used += notice is not None
        if value != good:
            assert whole[cut - 1 : cut] == b"\n", f"cut at {cut}"
    assert used > len(whole) * 0.8


def test_the_test_above_sees_a_file_that_is_read_as_another(tmp_path: Path) -> None:
    """A planted fault: a reader that looks at no version takes half a number for the number."""
    path = YAML.at(tmp_path)
    whole = path.read_text()
    values = {
        repr(YAML.reader(path)(whole[:cut]))
        for cut in range(whole.index("12"), len(whole))
        if _can(path, whole[:cut])
    }
    assert any("value=1," in value for value in values)


def _can(path: Path, text: str) -> bool:
    try:
        YAML.reader(path)(text)
    except ConfigError:
        return False
    return True


MISTAKES = [
    (JSON, '{\n"version": 1,\n"profiles": {\n"calm": {"temprature": 1}\n}\n}\n', "temprature"),
    (JSON, '{\n"version": 1,\n"profiles": {\n"calm": {"temperature": -1}\n}\n}\n', "temperature is -1"),
    (JSON, '{\n"version": 9,\n"profiles": {}\n}\n', "version"),
    (TOML, 'version = 1\n[model.mine]\nbackend = "llama_cpp"\n', "needs a location"),
    (TOML, "version = 1\n", "needs a model"),
    (YAML, "version: 1\nbackup: 5\n", "backup"),
    (YAML, "version: 99\n", "99"),
]


@pytest.mark.parametrize(
    ("kind", "text", "what"), MISTAKES, ids=lambda each: getattr(each, "name", str(each))
)
def test_a_mistake_of_a_person_is_an_error(kind: Format, text: str, what: str, tmp_path: Path) -> None:
    """Nothing else is measured than what was written, though there is a good version."""
    path = kind.at(tmp_path)
    path.write_text(text)
    with pytest.raises(ConfigError, match=what) as caught:
        read_or_last_good(path, kind.reader(path))
    assert "restore" not in str(caught.value)


SLIPS = [
    (JSON, '{\n"version": 1\n"profiles": {\n"calm": {}\n}\n}\n', 3),
    (JSON, '{\n"version": 1,\n"profiles": {\n"calm": {},\n}\n}\n', 5),
    (TOML, 'version = 1\n[model.mine]\nbackend = llama_cpp\nlocation = "mine.gguf"\n', 3),
    (YAML, 'version: 1\nreload: {poll_s: 1\nbackups: 5\n"more: 1"\n', 3),
    (JSON, '{\n"version": 1,\n"profiles": {\n"calm": {"temperature": 0.9}\n}\n', 6),  # a brace is missing
    (JSON, '"version": 1,\n"profiles": {"calm": {"temperature": 0.9}}\n}\n', 1),
    (JSON, '// mine\n{"version": 1, "profiles": {"calm": {"temperature": 0.9}}}\n', 1),
    (JSON, '<<<<<<< HEAD\n{"version": 1, "profiles": {}}\n=======\n{"version": 1}\n>>>>>>> b\n', 1),
    (JSON, '{"version": 1, "profiles": {"calm": {"temperature": 0.9,}}}', 1),
    (JSON, '{\n"version": 1,\n"profiles": {"calm": {"temperature": 0.9}}\n}}', 4),
    (TOML, 'version 1\n[model.mine]\nbackend = "llama_cpp"\nlocation = "mine.gguf"\n', 1),
    (TOML, '[model.mine\nbackend = "llama_cpp"\nlocation = "mine.gguf"\n', 1),
    (TOML, "<<<<<<< HEAD\nversion = 1\n=======\nversion = 1\n>>>>>>> b\n", 1),
    (YAML, "version: 1: 1\nbackups: 5\n", 1),
    (YAML, "\tbackups: 5\n", 1),
    (YAML, "version: 1\nreload: {poll_s: 1\n", 3),  # a brace is missing
]


@pytest.mark.parametrize(("kind", "text", "line"), SLIPS, ids=lambda each: getattr(each, "name", str(each)))
def test_a_slip_of_the_hand_is_an_error_with_a_way_back(
    kind: Format, text: str, line: int, tmp_path: Path
) -> None:
    """A comma left out, say: whoever does that wants to be told where."""
    path = kind.at(tmp_path)
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_or_last_good(path, kind.reader(path))
    (problem,) = caught.value.problems
    assert problem.line == line
    when = listed(path)[0].when
    assert problem.what.endswith(f"; or bring its version of {when} back: gemma-eval config restore {path}")


def test_json_that_was_cut_where_a_line_ends_is_damaged(tmp_path: Path) -> None:
    """It is the last version without its end, and cannot be read: nobody writes that by hand."""
    path = JSON.at(tmp_path)
    whole = path.read_bytes()
    for cut in [at for at in range(2, len(whole)) if whole[at - 1 : at] == b"\n"]:
        path.write_bytes(whole[:cut])
        value, notice = read_or_last_good(path, JSON.reader(path))
        assert value == JSON.reader(path)(JSON.second)
        assert notice is not None


@every_format
def test_a_person_may_leave_the_last_line_without_an_end(kind: Format, tmp_path: Path) -> None:
    """As some editors do, or type on where it ended."""
    path = kind.at(tmp_path)
    path.write_text(kind.second.removesuffix("\n"))
    assert read_or_last_good(path, kind.reader(path))[1] is None
    if kind is not JSON:
        path.write_text(kind.second.removesuffix("\n") + "  # mine")
        assert read_or_last_good(path, kind.reader(path))[1] is None


@every_format
def test_where_no_version_is_kept_a_damaged_file_is_an_error(kind: Format, tmp_path: Path) -> None:
    """It may have been written by hand alone, and git has its versions."""
    path = tmp_path / kind.name
    path.write_bytes(b"\0\0")
    with pytest.raises(ConfigError) as caught:
        read_or_last_good(path, kind.reader(path))
    assert "restore" not in str(caught.value)
    path.write_text(kind.second[:-4])
    if _readable(kind, path):
        assert read_or_last_good(path, kind.reader(path))[1] is None


def _readable(kind: Format, path: Path) -> bool:
    try:
        kind.reader(path)(path.read_text())
    except ConfigError:
        return False
    return True


def test_an_editor_that_marks_its_files_is_told_so(tmp_path: Path) -> None:
    """A byte order mark is a choice of the editor, and no damage."""
    path = JSON.at(tmp_path)
    for data in (JSON.second.encode("utf-8-sig"), JSON.second.encode("utf-16")):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="save it as UTF-8"):
            read_or_last_good(path, JSON.reader(path))


def test_a_catalog_of_damaged_files_says_so_of_each(tmp_path: Path) -> None:
    """And has what their last good versions have; whoever has good ones in use has damaged ones refused."""
    for kind in (JSON, TOML):
        kind.at(tmp_path).write_bytes(b"")
    found = catalog.load([tmp_path])
    assert found.profiles["calm"].temperature == 0.25
    assert found.models["mine"].context_tokens == 99
    assert [notice.split(":")[0] for notice in found.notices] == [
        str(tmp_path / "models.toml"),
        str(tmp_path / "profiles.json"),
    ]
    with pytest.raises(ConfigError) as caught:
        catalog.load([tmp_path], damaged="refuse")
    assert len({problem.path for problem in caught.value.problems}) == 2
    about = catalog.about_model(found.models["mine"], "is odd", keys=("location",), folders=[tmp_path])
    assert about is None, "no line of a damaged file is named"


def test_the_command_can_be_typed(tmp_path: Path) -> None:
    """Whatever letters the path has."""
    path = tmp_path / "a folder's" / "profiles.json"
    assert shlex.split(command(path)) == ["gemma-eval", "config", "restore", str(path)]


@every_format
def test_what_was_damaged_is_restored_and_kept(kind: Format, tmp_path: Path) -> None:
    """The plan shows it; after it the file is as it was."""
    path = kind.at(tmp_path)
    path.write_bytes(b"\xff" + kind.second.encode())
    planned = restoring.plan(path)
    assert planned.flaw == "is not UTF-8 here"
    assert "-\\xff" in planned.diff()
    aside = restoring.restore(planned)
    assert path.read_text() == kind.second
    assert aside is not None
    assert aside.parent == tmp_path / FOLDER
    assert aside.name.startswith(f"{kind.name}.damaged-")
    assert aside.read_bytes() == b"\xff" + kind.second.encode()
    assert [each.path.read_text() for each in listed(path)] == [kind.second, kind.first]


def test_a_change_is_taken_back_and_taken_back_again(tmp_path: Path) -> None:
    """A file that can be read is a version like all others."""
    path = JSON.at(tmp_path)
    for expected in (JSON.first, JSON.second):
        kept = restoring.restore(restoring.plan(path))
        assert path.read_text() == expected
        assert kept is not None
        assert kept.read_text() == ({JSON.first, JSON.second} - {expected}).pop()
    path.unlink()
    assert restoring.restore(restoring.plan(path)) is None
    assert path.read_text() == JSON.second


def test_a_version_is_restored_by_its_name(tmp_path: Path) -> None:
    """One that cannot be read is refused, and for one that is none a near one is named."""
    path = JSON.at(tmp_path)
    newest, oldest = listed(path)
    restoring.restore(restoring.plan(path, version=oldest.path.name))
    assert path.read_text() == JSON.first
    newest, _ = listed(path)
    newest.path.write_text("no")
    assert [each.flaw is None for each in restoring.kept(path)] == [False, True]
    with pytest.raises(UsageError, match="cannot be read"):
        restoring.plan(path, version=newest.path.name)
    with pytest.raises(UnknownName, match="did you mean"):
        restoring.plan(path, version=listed(path)[1].path.name[:-3])


def test_what_was_written_after_the_plan_is_not_replaced(tmp_path: Path) -> None:
    """Neither by mistake nor in a race."""
    path = JSON.at(tmp_path)
    planned = restoring.plan(path)
    path.write_text(JSON.second.replace("0.25", "0.75"))
    with pytest.raises(ConfigError, match="was changed by somebody else"):
        restoring.restore(planned)
    assert "0.75" in path.read_text()


def test_where_there_is_nothing_to_restore_it_is_said(tmp_path: Path) -> None:
    """No version, none that differs, and a file of another name."""
    path = tmp_path / "profiles.json"
    with pytest.raises(UsageError, match="no version of it is kept that can be read"):
        restoring.plan(path)
    change(path, lambda _: JSON.first, check=JSON.reader(path))
    with pytest.raises(UsageError, match="is as its only version"):
        restoring.plan(path)
    with pytest.raises(UsageError, match=r"no versions are kept of it, but of .*models\.toml.* and suites"):
        restoring.plan(tmp_path / "notes.txt")


def test_a_suite_that_a_command_has_changed_has_versions_too(tmp_path: Path) -> None:
    """It is read by others, so that here it is enough that it is TOML."""
    path = tmp_path / "suite.toml"
    for text in ("a = 1\n", "a = 2\n"):
        change(path, lambda _, text=text: text, check=len)  # type: ignore[misc]
    path.write_bytes(b"")
    restoring.restore(restoring.plan(path))
    assert path.read_text() == "a = 2\n"
