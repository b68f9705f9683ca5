"""What commands write into profiles.json and models.toml can be read, and is all that changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.config import as_written, edits, models, profiles
from gemma_eval.config.changing import change
from gemma_eval.config.places import Place
from gemma_eval.errors import ConfigError

KEYS = st.sampled_from(["temperature", "top_k", "seed"])
CHANGES = st.dictionaries(
    st.tuples(KEYS) | st.tuples(st.just("logit_bias"), st.sampled_from(["a", "b"])),
    st.none() | st.integers(1, 9),
    max_size=4,
)


@given(st.lists(CHANGES, max_size=4))
def test_changes_of_the_text_are_those_of_the_table(every: list[dict[tuple[str, ...], object]]) -> None:
    """One after the other, from no file on; of JSON and of TOML."""
    in_json = in_toml = ""
    table: edits.Table = {}
    for changes in every:
        in_json = edits.set_profile(in_json, "p", changes, base={})
        in_toml = edits.set_model(in_toml, "p", changes, base={})
        table = edits.changed(table, changes)
    assert _read_json(in_json) == (table if every else None)
    assert _read_toml(in_toml) == (table if every else None)


def _read_json(text: str) -> object:
    import json

    return json.loads(text)["profiles"]["p"] if text else None


def _read_toml(text: str) -> object:
    import tomllib

    return tomllib.loads(text)["model"]["p"] if text else None


def test_a_table_that_loses_its_last_key_goes() -> None:
    """Unless it is what was set."""
    assert edits.changed({"a": {"b": 1}}, {("a", "b"): None}) == {}
    assert edits.changed({}, {("a",): {}}) == {"a": {}}
    assert edits.changed({"a": 1}, {("a", "b"): 2}) == {"a": {"b": 2}}


def test_an_empty_table_that_nobody_asks_about_stays() -> None:
    """What is not changed is left as it was written."""
    assert edits.changed({"a": {}, "c": 1}, {("c",): 2}) == {"a": {}, "c": 2}
    text = '{"version": 1, "profiles": {"p": {"logit_bias": {}, "top_k": 1}}}'
    assert edits.set_profile(text, "p", {("top_k",): 2}, base={}) == text.replace("1}", "2}")


def test_what_another_has_changed_of_the_same_profile_stays() -> None:
    """A change is made of the text as it is when the file is locked, not of what was read before."""
    text = edits.set_profile("", "p", {("top_k",): 1}, base={})
    text = edits.set_profile(text, "p", {("min_p",): 0.1}, base={"seed": 3})
    assert _read_json(text) == {"top_k": 1, "min_p": 0.1}


def test_new_files_can_be_read_and_say_their_version() -> None:
    """Of the first profile and of the first model; without the last model there can be another."""
    text = edits.with_profile("", "p", {"top_k": 1})
    assert profiles.parse(text, path=Path("profiles.json"))["p"].top_k == 1
    text = edits.with_model("", "m", {"backend": "b", "location": "@l"})
    assert models.parse(text, path=Path("models.toml"))["m"].location == "@l"
    text = edits.without_model(text, "m")
    assert models.parse(text, path=Path("models.toml")) == {}
    text = edits.with_model(text, "n", {"backend": "b", "location": "@l"})
    assert list(models.parse(text, path=Path("models.toml"))) == ["n"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_of_a_file_are_kept_when_it_is_changed(tmp_path: Path, ends: str) -> None:
    """From the bytes to the bytes."""
    path = tmp_path / "models.toml"
    text = 'version = 1 # mine\n\n[model.m]\nbackend = "b"\nlocation = "@l"'.replace("\n", ends)
    path.write_bytes(text.encode())
    changes: edits.Changes = {("options", "threads"): 2}
    change(
        path,
        lambda text: edits.set_model(text, "m", changes, base={}),
        check=lambda text: models.parse(text, path=path),
    )
    assert path.read_bytes().decode() == f"{text}{ends}options = {{ threads = 2 }}"


def test_what_is_written_is_known_with_its_place_and_the_last_counts(tmp_path: Path) -> None:
    """A folder that comes twice is read once."""
    for layer, name in (("user", "a"), ("project", "b")):
        (tmp_path / name).mkdir()
        text = f'{{"version": 1,\n "profiles": {{"p": {{"top_k": {len(layer)}}},\n "{name}": {{}}}}}}'
        (tmp_path / name / "profiles.json").write_text(text)
    places = (
        Place(layer="user", folder=tmp_path / "a"),
        Place(layer="project", folder=tmp_path / "b"),
        Place(layer="suite", folder=tmp_path / "b"),
        Place(layer="suite", folder=tmp_path / "none"),
    )
    found = as_written.of_profiles(places)
    assert [(each.layer, each.line) for each in found.of["p"]] == [("user", 2), ("project", 2)]
    last = found.last("p")
    assert last is not None
    assert (last.value.top_k, last.table) == (7, {"top_k": 7})
    assert found.last("nobody") is None
    assert (found.of["b"][0].line, found.notices) == (3, ())
    (tmp_path / "b" / "profiles.json").write_text('{"version": 1}')
    with pytest.raises(ConfigError, match="needs"):
        as_written.of_profiles(places)


def test_a_file_that_may_not_be_looked_at_is_an_error(tmp_path: Path) -> None:
    """It is not passed over as if it were not there."""
    (tmp_path / "profiles.json").symlink_to("profiles.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        as_written.of_profiles([Place(layer="user", folder=tmp_path)])


def test_a_damaged_file_is_read_as_it_was_and_that_is_said(tmp_path: Path) -> None:
    """With the line of the version that counts."""
    path = tmp_path / "profiles.json"
    edit = edits.with_profile("", "p", {"top_k": 1})
    change(path, lambda _: edit, check=lambda text: profiles.parse(text, path=path))
    path.write_bytes(b"")
    found = as_written.of_profiles([Place(layer="user", folder=tmp_path)])
    assert found.of["p"][0].table == {"top_k": 1}
    assert len(found.notices) == 1
    assert "gemma-eval config restore" in found.notices[0]
