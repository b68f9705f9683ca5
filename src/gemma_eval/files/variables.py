"""What the variables of templates may be called: not as what every template has, nor as a word of Jinja2."""

from __future__ import annotations

import re

from gemma_eval.files.rows import show
from gemma_eval.records import PROMPT_VARIABLES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_WORDS = """
    and or not in is if else elif for true false none True False None
    loop self super caller varargs kwargs range namespace raise_exception
"""


def flaw(name: str) -> str | None:
    """Say what is wrong with the name of a variable that a template can name, `None` when nothing is."""
    if what := clash(name):
        return what
    if _NAME.fullmatch(name) and name not in _WORDS.split():
        return None
    return f"is {show(name)}, which cannot be a variable; use letters, digits and _, a letter first"


def clash(name: str) -> str | None:
    """Say that a name means something in every template, `None` when it does not."""
    if name in PROMPT_VARIABLES:
        return f"is {show(name)}, which every template has already; choose another name"
    return None
