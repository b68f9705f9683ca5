"""The table of what backends can do is that of what they declare."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gemma_eval import plugins
from gemma_eval.backends.capabilities import OTHERS, SAMPLING
from gemma_eval.backends.openai_http.dialects import CAPABILITIES as OF_DIALECTS
from gemma_eval.protocols import CapableBackendFactory
from tests.docs.test_pages import page

SERVED = "openai_http"


def declared() -> dict[str, Collection[str]]:
    """Return what each backend declares, by the heading of its column; a server by its dialect."""
    columns: dict[str, Collection[str]] = {}
    backends = plugins.load().backends
    for name in ("numpy_gemma", "llama_cpp", SERVED, "hf_transformers", "gemma_cpp"):
        factory: object = backends[name]
        assert isinstance(factory, CapableBackendFactory)
        if name == SERVED:
            columns |= {f"`{SERVED}`, {dialect}": words for dialect, words in OF_DIALECTS.items()}
        else:
            columns[f"`{name}`"] = factory.capabilities
    return columns


def table(columns: Mapping[str, Collection[str]]) -> str:
    """Return the table of a page: a row for each word that some backend declares, a column for each."""
    words = [word for word in (*SAMPLING, *OTHERS) if any(word in able for able in columns.values())]
    rows = ["| | " + " | ".join(columns) + " |", "|---|" + ":-:|" * len(columns)]
    for word in words:
        marks = ("✓" if word in able else "" for able in columns.values())
        rows.append(f"| `{word}` | " + " | ".join(marks) + " |")
    return "\n".join(rows)


def test_the_table_says_what_each_backend_can_do() -> None:
    """Word for word as they declare it."""
    assert table(declared()) in page("backends")


def test_a_capability_that_is_not_in_the_table_is_found() -> None:
    """The planted error: one that can more than the page says."""
    columns = declared()
    columns["`gemma_cpp`"] = {*columns["`gemma_cpp`"], "min_p"}
    assert table(columns) not in page("backends")
