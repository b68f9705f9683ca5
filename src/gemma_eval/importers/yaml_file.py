"""Read YAML of other frameworks, which is that of YAML 1.1, as plain data; no tag means anything."""

from __future__ import annotations

from typing import cast

from yaml.constructor import SafeConstructor
from yaml.nodes import Node, ScalarNode
from yaml.resolver import Resolver

from gemma_eval.files import yaml_tree
from gemma_eval.files.yaml_tree import MERGE, PLAIN, TAG, Written

_AS_TEXT = frozenset({f"{TAG}timestamp", f"{TAG}value"})
"""What YAML 1.1 takes for more than it is; here it is the text that was written."""


def parse(text: str) -> Written:
    """Return what a YAML text says. Raises ReadError when it is no YAML, no table, or built to exhaust."""
    return yaml_tree.parse(text, _DIALECT)


def _value(node: ScalarNode) -> object:
    return cast(object, SafeConstructor.yaml_constructors[node.tag](_CONSTRUCTOR, node))


def _about_key(key: Node) -> str | None:
    if isinstance(key, ScalarNode) and key.tag in PLAIN | _AS_TEXT:
        return None
    what = '"<<" takes in another table' if key.tag == MERGE else "a key is no plain text"
    return f"{what}; write its keys out"


_CONSTRUCTOR = SafeConstructor()
_DIALECT = yaml_tree.Dialect(
    resolver=Resolver(),
    value=_value,
    as_text=_AS_TEXT,
    about_key=_about_key,
    about=lambda _: None,
)
