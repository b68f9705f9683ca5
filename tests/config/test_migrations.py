"""Files of every earlier version become those of today; what is newer is left alone."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config import files, settings_file
from gemma_eval.config.migrations import FORMATS, Format, Step, migrate, version
from gemma_eval.errors import ConfigError
from gemma_eval.files import decode, yaml12
from gemma_eval.files.read import ReadError

FIXTURES = Path(__file__).parent / "fixtures"
EACH = sorted(FIXTURES.glob("*/version_*"))


def test_there_is_a_fixture_of_every_version_that_ever_was() -> None:
    """Of each kind, the one of today with them."""
    found = {(path.parent.name, path.stem) for path in EACH}
    assert found == {(name, f"version_{v}") for name, form in FORMATS.items() for v in range(form.known + 1)}


@pytest.mark.parametrize("path", EACH, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_earlier_file_becomes_that_of_today(path: Path) -> None:
    """Letter by letter, and it is read."""
    form = FORMATS[path.parent.name]
    newest = path.with_name(f"version_{form.known}{path.suffix}").read_text()
    migrated = migrate(path.read_text(), form)
    assert migrated == newest
    form.check(migrated, Path(path.parent.name))


@pytest.mark.parametrize("name", FORMATS)
def test_an_earlier_file_is_not_read_before_it_is_migrated(name: str) -> None:
    """The message names the command that does it."""
    (old,) = (FIXTURES / name).glob("version_0*")
    with pytest.raises(ConfigError, match=r"needs .*version.* 1; gemma-eval config migrate adds it"):
        FORMATS[name].check(old.read_text(), Path(name))


NEWER = {
    "profiles.json": '{"version": 3, "profilez": {}}',
    "models.toml": "version = 3\n[modell.a]\n",
    "settings.yaml": "a: 1\nversion: 3\n",
}


@pytest.mark.parametrize(("name", "text"), NEWER.items())
def test_a_newer_file_is_refused_and_nothing_else_is_said_of_it(name: str, text: str) -> None:
    """By its reader and by the migration; the line is that of the version."""
    told = "is version 3; this gemma_eval reads up to 1; install a newer one"
    with pytest.raises(ConfigError) as refused:
        FORMATS[name].check(text, Path(name))
    line = 1 + text[: text.index("version")].count("\n")
    assert str(refused.value) == f"{name}:{line}: {told}"
    with pytest.raises(ReadError, match=told):
        migrate(text, FORMATS[name])


@pytest.mark.parametrize("wrong", ["true", "0", "-1", "1.0", "1.5", '"1"', "[]", "null"])
def test_what_cannot_be_a_version_is_said_to_be_none(wrong: str) -> None:
    """In each of the three; TOML has no null. A file of the first version gives none, and never 0."""
    for name, text in (
        ("profiles.json", f'{{"version": {wrong}, "profiles": {{}}}}'),
        ("models.toml", f"version = {wrong}\nmodel = {{}}\n"),
        ("settings.yaml", f"version: {wrong}\n"),
    ):
        if (name, wrong) == ("models.toml", "null"):
            continue
        with pytest.raises(ConfigError, match=r"version is .*; it should be 1"):
            FORMATS[name].check(text, Path(name))
        with pytest.raises(ReadError, match="it should be 1"):
            migrate(text, FORMATS[name])


def test_the_newest_versions_are_those_that_are_read() -> None:
    """A step that is added without a new version, or the other way round, is seen."""
    assert FORMATS["profiles.json"].known == FORMATS["models.toml"].known == files.VERSION
    assert FORMATS["settings.yaml"].known == settings_file.VERSION


def lines(number: int) -> Format:
    """Return a format of text with so many versions after the first; each step says that it was there."""

    def step(n: int) -> Step:
        return lambda text: f"version={n + 1}\n{text.partition(chr(10))[2]}step {n}\n"

    def read(text: str) -> dict[str, object]:
        given = int(text.partition("\n")[0].removeprefix("version="))
        return {"version": given} if given else {}

    return Format(
        steps=tuple(map(step, range(number))),
        read=read,
        check=lambda text, path: None,
    )


@given(st.integers(0, 6), st.integers(0, 6))
def test_steps_are_taken_in_order_from_the_version_of_the_file(number: int, start: int) -> None:
    """Each once; what is the newest already is not touched, what is newer is refused."""
    form = lines(number)
    text = f"version={start}\nkept\n"
    if start > number:
        with pytest.raises(ReadError, match=f"is version {start}; this gemma_eval reads up to {number}"):
            migrate(text, form)
        return
    taken = "".join(f"step {n}\n" for n in range(start, number))
    assert migrate(text, form) == f"version={number}\nkept\n{taken}"
    assert version(migrate(text, form), form) == number


@given(
    st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=4), max_size=4),
    st.sampled_from([None, 0, 1, 3, "\t"]),
)
def test_every_other_member_of_json_stays(table: dict[str, object], indent: int | str | None) -> None:
    """However it is laid out."""
    table.pop("version", None)
    migrated = migrate(json.dumps(table, indent=indent), FORMATS["profiles.json"])
    assert decode.json_table(migrated)[0] == {"version": 1, **table}
    assert json.dumps(json.loads(migrated), indent=indent) == json.dumps(
        {"version": 1, **table}, indent=indent
    )


@pytest.mark.parametrize(
    "text", ["", "a = 1\n", "[a]\nb = 1\n", "# c\na.b = 1", "# c\n\n\n# d\n[a]\n", "\n\n[a]"]
)
def test_every_other_key_of_toml_stays(text: str) -> None:
    """And every comment."""
    migrated = migrate(text, FORMATS["models.toml"])
    assert tomllib.loads(migrated) == {"version": 1, **tomllib.loads(text)}
    assert migrated.count("#") == text.count("#")


@pytest.mark.parametrize(
    "text",
    [
        *("a: 1\n", "# c\na: 1", "# c\n\n# d\na: 1\n", "---\na: 1\n", "# c\n---\n# d\n\na: 1\n...\n"),
        *("{a: 1}\n", "# {\n{}\n", "%YAML 1.2\n---\na: 1\n", 'a: "---\\n"\nb: |\n  x\n'),
    ],
)
def test_every_other_key_of_yaml_stays(text: str) -> None:
    """And every comment."""
    migrated = migrate(text, FORMATS["settings.yaml"])
    assert yaml12.parse(migrated).table == {"version": 1, **yaml12.parse(text).table}
    assert migrated.count("#") == text.count("#")


def test_settings_that_are_all_commented_out_need_no_version() -> None:
    """There is nothing to read by its rules."""
    text = "# chat:\n#   model: x\n"
    assert migrate(text, FORMATS["settings.yaml"]) == text
    assert settings_file.parse(text, path=Path("settings.yaml")) == {}
