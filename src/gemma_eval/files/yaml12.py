"""Read YAML as version 1.2 means it: `no` is a text, `012` is 12 and `1e-5` a number, unlike in 1.1.

Source: the core schema, YAML 1.2.2, section 10.3. What a person does not need in a file of choices is
refused: tags, anchors, aliases, merged tables, and keys that are no texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml
from yaml.nodes import Node, ScalarNode
from yaml.resolver import BaseResolver

from gemma_eval.files import yaml_tree
from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show
from gemma_eval.files.yaml_tree import MERGE, TAG, Written

CORE: tuple[tuple[str, str], ...] = (
    ("null", r"null|Null|NULL|~|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
"""The kind of a plain scalar by its text: that of the first pattern that matches all of it, else a text."""


def parse(text: str) -> Written:
    """Return what a YAML text says; an empty one is an empty table.

    Raises ReadError when it is no YAML, no table, or built to exhaust.
    """
    return yaml_tree.parse(text if has_value(text) else "{}", DIALECT)


def value(text: str) -> object:
    """Return the value of one line of YAML, as that of an environment variable. Raises ReadError."""
    written = yaml_tree.parse(f"value: {text}", DIALECT)
    if written.refused or "\n" in text:
        raise ReadError(written.refused[0][1] if written.refused else "has more than one line")
    return written.table["value"]


def has_value(text: str) -> bool:
    """Whether there is more in a text than comments, blank lines and the marks of a document."""
    marks = ("", "---", "...")
    return any(line.partition("#")[0].strip() not in marks for line in text.splitlines())


class _Core(BaseResolver):
    """Resolves plain scalars by `CORE`."""


for _kind, _pattern in CORE:
    _Core.add_implicit_resolver(f"{TAG}{_kind}", re.compile(rf"(?:{_pattern})\Z"), None)
_Core.add_implicit_resolver(MERGE, re.compile(r"<<\Z"), None)

_NUMBERS: Mapping[str, int] = {"0o": 8, "0x": 16}
_INFINITE = {".inf": "inf", ".nan": "nan"}


def _value(node: ScalarNode) -> object:
    text = str(node.value)
    match node.tag.removeprefix(TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, _NUMBERS[text[:2]]) if text[:2] in _NUMBERS else int(text)
        case "float":
            sign, rest = (text[0], text[1:].lower()) if text[0] in "+-" else ("", text.lower())
            return float(sign + _INFINITE.get(rest, rest))
    return text


def _about_key(key: Node) -> str | None:
    if not isinstance(key, ScalarNode):
        return "a key is no plain text; write a name"
    if key.tag == MERGE:
        return '"<<" takes in another table; write its keys out'
    if key.tag != f"{TAG}str":
        kinds = {"int": "a number", "float": "a number", "bool": "true or false", "null": "nothing"}
        kind = kinds.get(key.tag.removeprefix(TAG), "of another kind")
        return f"the key {show(str(key.value))} is {kind}; a key is a text, which quotes make of it"
    return None


def _about(event: yaml.NodeEvent) -> str | None:
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    if isinstance(event, yaml.AliasEvent):
        return f"*{anchor} repeats another value; write it out"
    if anchor is not None:
        return f"&{anchor} names a value to repeat it; write the value out where it is repeated"
    return None if tag is None else f"the tag {show(str(tag).removeprefix(TAG))} is not needed; leave it out"


DIALECT = yaml_tree.Dialect(
    resolver=_Core(),
    value=_value,
    as_text=frozenset({MERGE}),
    about_key=_about_key,
    about=_about,
)
