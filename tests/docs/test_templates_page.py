"""The tables of the page on templates are those of the code."""

from __future__ import annotations

import re

from gemma_eval.config.front_matter import KEYS
from gemma_eval.records import PROMPT_VARIABLES
from tests.docs.test_pages import DOCS

PAGE = (DOCS / "templates.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n#")[0]
    return [name.strip("`") for name in re.findall(r"^\| (`?\w+`?) \|", section, re.MULTILINE)]


def test_the_page_has_every_key_of_front_matter_and_no_other() -> None:
    """As the row that reads it has them."""
    assert first_column("### Front matter") == ["key", *KEYS]


def test_the_page_has_every_name_that_templates_are_given_and_no_other() -> None:
    """Besides the variables of template and case."""
    names = first_column("## What a template can name")
    assert sorted(names) == sorted(["name", *PROMPT_VARIABLES, "variables"])
