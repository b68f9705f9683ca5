"""The page on the command line shows the help of every command as it is."""

from __future__ import annotations

import re

import pytest

from docs.make_cli import PAGE, every_help, with_help
from tests.fresh import fresh

HOW = "run `python docs/make_cli.py`"


def shown(page: str) -> dict[str, str]:
    """Return what the page shows as the help of each command."""
    return dict(
        re.findall(r"^### gemma-eval ([\w -]+)\n\n```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    )


def helps_now() -> dict[str, str]:
    """Return the help of each command; click keeps what a command that is called alone calls its help."""
    return dict(every_help())


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """Return them as an interpreter shows them that has called none."""
    return fresh(helps_now)


def outdated(page: str, helps: dict[str, str]) -> set[str]:
    """Return the commands whose help is not the one on the page."""
    shows = shown(page)
    return {words for words in helps.keys() | shows.keys() if helps.get(words) != shows.get(words)}


def test_the_page_has_the_help_of_every_command(helps: dict[str, str]) -> None:
    """Word by word, and in the order of the sections."""
    page = PAGE.read_text(encoding="utf-8")
    assert outdated(page, helps) == set(), HOW
    assert with_help(page, helps) == page, HOW


def test_a_help_that_is_not_the_one_on_the_page_is_found(helps: dict[str, str]) -> None:
    """One with a planted word, and one that is left out."""
    page = PAGE.read_text(encoding="utf-8")
    planted = page.replace("Print the file of a suite, to be read", "Print the suite, to be read")
    assert outdated(planted, helps) == {"suite show"}
    renamed = page.replace("### gemma-eval runs\n", "### gemma-eval ruins\n")
    assert outdated(renamed, helps) == {"runs", "ruins"}
