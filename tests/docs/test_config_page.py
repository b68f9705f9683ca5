"""The page on settings says what the code does: each key, its variable, its option and built-in value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gemma_eval.config.edit_settings import written
from gemma_eval.config.environment import OTHERS
from gemma_eval.config.migrations import FORMATS
from gemma_eval.config.places import PRECEDENCE
from gemma_eval.config.settings import Settings
from gemma_eval.config.settings_keys import KEYS
from gemma_eval.config.validation import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")


def built_in(name: str) -> str:
    """Return the built-in value of a key as it would be written."""
    value = Settings().value(name)
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return written(plain)


def rows(page: str) -> set[tuple[str, ...]]:
    """Return the rows of tables that begin with a key."""
    found = re.findall(r"^\| (`[a-z_.]+`) \| (.+) \| (`.*`) \| (`GEMMA.*`) \|$", page, re.MULTILINE)
    return set(found)


EXPECTED = {
    (
        f"`{key.name}`",
        key.words,
        f"`{built_in(key.name)}`",
        f"`{key.variable}`" + (f", `{key.option}`" if key.option else ""),
    )
    for key in KEYS
}


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Words, built-in value, variable and option of each key."""
    assert rows(PAGE) == EXPECTED


def test_a_wrong_row_would_be_seen() -> None:
    """A changed default, a missing key."""
    assert rows(PAGE.replace("| `10` |", "| `11` |")) != EXPECTED
    assert rows(re.sub(r"^\| `backups`.*\n", "", PAGE, flags=re.MULTILINE)) != EXPECTED


def test_every_layer_file_and_variable_is_explained() -> None:
    """The layers in their order."""
    layers = re.findall(r"^\| ([a-z -]+) \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    assert tuple(layers) == PRECEDENCE
    assert [name for name in (*NAMES, *FORMATS, *OTHERS) if f"`{name}" not in PAGE] == []


@pytest.mark.parametrize("key", [key for key in KEYS if key.option], ids=lambda key: key.name)
def test_an_option_that_is_named_exists(key: object) -> None:
    """On the command line or in pytest, so that nobody is sent looking for it."""
    option = key.option  # type: ignore[attr-defined]
    sources = Path(__file__).parents[2].joinpath("src").rglob("*.py")
    declared = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    name = option.removeprefix("--gemma-")
    assert f'"{option}"' in declared or f'"--gemma-{name}"' in declared
