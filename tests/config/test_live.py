"""A live value is as new as its files, and the last good one where they are broken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config import profiles
from gemma_eval.config.changing import change
from gemma_eval.config.live import Live
from gemma_eval.config.live_choices import Choices, live_choices
from gemma_eval.config.places import Place
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.records import Choice, Reloaded

GREEDY = '{"version": 1, "profiles": {"greedy": {"temperature": 0}}}'
HOT = '{"version": 1, "profiles": {"greedy": {"temperature": 0}, "hot": {"temperature": 2}}}'
WARM = '{"version": 1, "profiles": {"greedy": {"temperature": 0.5}}}'
MODELS = 'version = 1\n[model.echo]\nbackend = "scripted"\nlocation = "-"\n'


@dataclass
class Clock:
    """Time that goes on when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return what time it is."""
        return self.now


@dataclass
class Heard:
    """What a live value has said and told."""

    lines: list[str] = field(default_factory=list)
    reloads: list[Reloaded] = field(default_factory=list)


def as_numbers(value: Mapping[str, object]) -> Mapping[Choice, object]:
    """Take each key of a JSON object for a profile."""
    return {("profile", name): each for name, each in value.items()}


def a_live(path: Path, clock: Clock, heard: Heard) -> Live[dict[str, object]]:
    """Have a JSON file live, in which `bad` may not be a key."""

    def read() -> dict[str, object]:
        found: dict[str, object] = json.loads(path.read_text())
        return found

    def validate(value: Mapping[str, object]) -> None:
        if "bad" in value:
            raise UsageError("bad is not good\nand more")

    return Live(
        read,
        paths=lambda: [path],
        validate=validate,
        names=as_numbers,
        on_reload=[heard.reloads.append],
        say=heard.lines.append,
        clock_s=clock,
    )


def settle(live: Live[dict[str, object]], clock: Clock, seconds: float = 1.0) -> None:
    """Poll for a while, of which nothing is waited."""
    for _ in range(round(seconds / 0.02)):
        clock.now += 0.02
        live.poll()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good file."""
    path = tmp_path / "numbers.json"
    path.write_text('{"a": 1, "b": 2}')
    return path


def test_a_new_value_takes_the_place_of_the_old_one(file: Path) -> None:
    """It is told what was added, changed and removed; who held the old snapshot still has it."""
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    held = live.snapshot
    file.write_text('{"b": 3, "c": 4}')
    settle(live, clock)
    assert live.value == {"b": 3, "c": 4}
    assert held.value == {"a": 1, "b": 2}
    (told,) = heard.reloads
    assert (told.added, told.changed, told.removed) == (
        (("profile", "c"),),
        (("profile", "b"),),
        (("profile", "a"),),
    )
    assert (told.generation, told.digest) == (2, live.snapshot.digest)
    assert held.digest != told.digest
    assert heard.lines == []


def test_an_edit_of_spaces_alone_changes_no_choice(file: Path) -> None:
    """The digest is of bytes; the choices are what they were."""
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    file.write_text('{"a":  1, "b": 2}')
    settle(live, clock)
    (told,) = heard.reloads
    assert (told.added, told.changed, told.removed) == ((), (), ())


def test_what_is_written_again_as_it_was_is_no_reload(file: Path) -> None:
    """A touch, or a change that is taken back at once."""
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    file.write_text(file.read_text())
    settle(live, clock)
    file.write_text("{}")
    live.poll()
    file.write_text('{"a": 1, "b": 2}')
    settle(live, clock)
    assert heard == Heard()
    assert live.snapshot.generation == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "JSONDecodeError: Expecting value"),
        ('{"a": 1, "b"', "JSONDecodeError: "),
        ('{"bad": 1}', "bad is not good (and 1 more)"),
        ("\x00", "JSONDecodeError"),
    ],
)
def test_the_last_good_value_stays_and_one_line_says_why(file: Path, text: str, said: str) -> None:
    """However often the broken file is looked at, or written again; and a line when it is mended."""
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    good = live.snapshot
    for _ in range(3):
        file.write_text(text)
        settle(live, clock, 5)
    assert live.snapshot is good
    assert heard.reloads == []
    assert [line.startswith(said) for line in heard.lines] == [True]
    assert heard.lines[0].endswith("; what was read before stays in use")
    file.write_text('{"a": 2}')
    settle(live, clock)
    assert heard.lines[1:] == ["the files can be read again"]
    assert live.snapshot.generation == 2


def test_each_way_of_being_broken_is_said_once(file: Path) -> None:
    """A second broken text has a line of its own; the good one of before, none but that it is good."""
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    for text in ("{", "[", '{"a": 1, "b": 2}', "{"):
        file.write_text(text)
        settle(live, clock)
    assert len(heard.lines) == 4
    assert heard.lines[2] == "the files can be read again"
    assert live.snapshot.generation == 1


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """What was half of one and half of the other never becomes the value."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("1")
    clock, races = Clock(), [0]

    def read() -> tuple[str, str]:
        one = first.read_text()
        if races[0]:
            races[0] -= 1
            for path in (first, second):
                path.write_text(str(int(path.read_text()) + 1))
        return one, second.read_text()

    live = Live(read, paths=lambda: [first, second], clock_s=clock)
    assert live.value == ("1", "1")
    seen = set()
    races[0] = 3
    first.write_text("5")
    second.write_text("5")
    for _ in range(100):
        clock.now += 0.02
        live.poll()
        seen.add(live.value)
    assert seen == {("1", "1"), ("8", "8")}


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["in place", "rename", "delete and create", "delete", "touch"]),
        st.sampled_from(['{"a": 1}', '{"a": 2}', '{"b": 3}', "{", ""]),
        st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    ),
    max_size=12,
)


@given(edits=EDITS)
def test_whatever_is_done_the_last_good_text_is_in_use_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str, float]]
) -> None:
    """And every value there was is one that was saved; each reload is one step of the generation."""
    file = tmp_path_factory.mktemp("law") / "numbers.json"
    file.write_text('{"a": 1}')
    clock, heard = Clock(), Heard()
    live = a_live(file, clock, heard)
    saved, seen = {'{"a": 1}'}, [json.dumps(live.value)]
    for way, text, seconds in edits:
        if way == "rename":
            file.with_suffix(".new").write_text(text)
            file.with_suffix(".new").replace(file)
        elif way == "touch":
            file.touch()
        else:
            if way != "in place":
                file.unlink(missing_ok=True)
            if way != "delete":
                file.write_text(text)
        saved |= {text} if way not in ("touch", "delete") else set()
        settle(live, clock, seconds)
        seen.append(json.dumps(live.value))
    settle(live, clock, 3)
    last = file.read_text() if file.exists() else ""
    if last.endswith("}"):
        assert live.value == json.loads(last)
    assert set(seen) <= saved
    assert live.snapshot.generation == 1 + len(heard.reloads)


def test_files_that_are_broken_at_first_are_refused(file: Path) -> None:
    """There is no last good value yet."""
    file.write_text('{"bad": 1}')
    with pytest.raises(UsageError, match="bad is not good"):
        a_live(file, Clock(), Heard())


def test_a_callback_that_fails_costs_neither_the_value_nor_the_next_one(file: Path) -> None:
    """It is said."""
    clock, heard = Clock(), Heard()

    def fails(_: Reloaded) -> None:
        raise RuntimeError("no")

    live = Live(
        file.read_text,
        paths=lambda: [file],
        on_reload=[fails, heard.reloads.append],
        say=heard.lines.append,
        clock_s=clock,
    )
    file.write_text("new")
    for _ in range(20):
        clock.now += 0.02
        live.poll()
    assert live.value == "new"
    assert len(heard.reloads) == 1
    assert heard.lines == ["a plugin failed to hear of a reload: RuntimeError: no"]


def eventually(happens: Callable[[], bool]) -> None:
    """Wait until something happens; a test that waits in vain is ended by whoever runs it."""
    while not happens():
        time.sleep(0.01)


def test_the_thread_ends_with_the_context(file: Path) -> None:
    """Also where an error ends that; before and after there is no thread."""
    before = set(threading.enumerate())
    live = Live(file.read_text, paths=lambda: [file], poll_s=0.01, quiet_s=0.01)
    assert set(threading.enumerate()) == before

    def use() -> None:
        with live:
            assert len(threading.enumerate()) == len(before) + 1
            file.write_text("new")
            eventually(lambda: live.value == "new")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        use()
    assert set(threading.enumerate()) == before
    file.write_text("newer")
    assert live.value == "new"
    with live:
        eventually(lambda: live.value == "newer")
    assert set(threading.enumerate()) == before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of each kind."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "profiles.json").write_text(GREEDY)
    (tmp_path / "models.toml").write_text(MODELS)
    (tmp_path / "templates" / "plain.jinja").write_text("{{ query }}")
    return tmp_path


def test_choices_of_all_kinds_are_reloaded_as_one_set(folder: Path) -> None:
    """A set whose files do not fit each other is not taken in part."""
    heard = Heard()

    def validate(choices: Choices) -> None:
        if "hot" in choices.catalog.profiles and "hot" not in choices.catalog.templates:
            raise UsageError("hot needs its template")

    with live_choices(
        [Place(layer="project", folder=folder)],
        environment={},
        validate=validate,
        on_reload=[heard.reloads.append],
        say=heard.lines.append,
    ) as live:
        (folder / "profiles.json").write_text(HOT)
        (folder / "models.toml").write_text(MODELS.replace("echo", "other"))
        eventually(lambda: bool(heard.lines))
        assert set(live.value.catalog.models) == {"echo"}
        (folder / "templates" / "hot.jinja").write_text("hot {{ query }}")
        eventually(lambda: bool(heard.reloads))
    assert heard.lines == [
        "hot needs its template; what was read before stays in use",
        "the files can be read again",
    ]
    (told,) = heard.reloads
    assert set(told.added) == {("model", "other"), ("profile", "hot"), ("template", "hot")}
    assert told.removed == (("model", "echo"),)
    assert told.changed == ()


def test_a_broken_file_is_named_with_its_line(folder: Path) -> None:
    """As everywhere."""
    heard = Heard()
    with live_choices(
        [Place(layer="project", folder=folder)], environment={}, say=heard.lines.append
    ) as live:
        (folder / "profiles.json").write_text(WARM.replace("0.5", "-1"))
        eventually(lambda: bool(heard.lines))
        assert live.value.catalog.profiles["greedy"].temperature == 0
    assert heard.lines[0].startswith(f"{folder / 'profiles.json'}:1: ")
    assert heard.lines[0].count("\n") == 0


def test_a_damaged_file_is_recovered_at_first_and_refused_later(folder: Path) -> None:
    """What was read before is newer than the last version that a command has written."""
    path, heard = folder / "profiles.json", Heard()
    change(path, lambda _: WARM, check=lambda text: profiles.parse(text, path=path))
    path.write_bytes(b"")
    with live_choices(
        [Place(layer="project", folder=folder)], environment={}, say=heard.lines.append
    ) as live:
        assert live.value.catalog.profiles["greedy"].temperature == 0.5
        (notice,) = heard.lines
        assert "is empty; its version of" in notice
        path.write_text(GREEDY)
        eventually(lambda: live.value.catalog.profiles["greedy"].temperature == 0)
        path.write_bytes(b"")
        eventually(lambda: len(heard.lines) > 1)
        assert live.value.catalog.profiles["greedy"].temperature == 0
    assert heard.lines[1].endswith("; what was read before stays in use")


def test_choices_that_are_broken_at_first_are_refused(folder: Path) -> None:
    """With every problem."""
    (folder / "profiles.json").write_text("{")
    with pytest.raises(ConfigError):
        live_choices([Place(layer="project", folder=folder)], environment={})
