"""The page on the command line shows the help of every command as it is."""

from __future__ import annotations

import re

from docs.make_cli import PAGE, every_help, with_help

HOW = "run `python docs/make_cli.py`"


def shown(page: str) -> dict[str, str]:
    """Return what the page shows as the help of each command."""
    return dict(
        re.findall(r"^### gemma-eval ([\w -]+)\n\n```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    )


def outdated(page: str) -> set[str]:
    """Return the commands whose help is not the one on the page."""
    helps, shows = dict(every_help()), shown(page)
    return {words for words in helps.keys() | shows.keys() if helps.get(words) != shows.get(words)}


def test_the_page_has_the_help_of_every_command() -> None:
    """Word by word, and in the order of the sections."""
    page = PAGE.read_text(encoding="utf-8")
    assert outdated(page) == set(), HOW
    assert with_help(page) == page, HOW


def test_a_help_that_is_not_the_one_on_the_page_is_found() -> None:
    """One with a planted word, and one that is left out."""
    page = PAGE.read_text(encoding="utf-8")
    assert outdated(page.replace("Print the file of a suite, to be read", "Print the suite, to be read")) == {
        "suite show"
    }
    assert outdated(page.replace("### gemma-eval runs\n", "### gemma-eval ruins\n")) == {"runs", "ruins"}
