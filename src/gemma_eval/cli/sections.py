"""In which order and under which word `gemma-eval --help` shows the commands, and what plugins have added."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Measure": ("benchmark", "watch", "sweep", "plan", "selftest"),
    "Look": ("runs", "report", "compare", "history", "steps", "export"),
    "Decide": ("gate", "accept", "baseline"),
    "Again": ("rescore", "recompute", "judge"),
    "Talk": ("chat",),
    "Write": ("suite", "import", "schema"),
    "Choose": ("models", "profiles", "templates", "config"),
    "Keep": ("memory", "cache"),
    "Help": ("doctor", "plugins", "completion"),
}
"""What ships, by what a person is about to do."""

PLUGINS = "Plugins"
"""What has been added comes last."""


def sections(names: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections that have commands among `names`, with these in order."""
    placed = {name for section in SECTIONS.values() for name in section}
    added = sorted(set(names) - placed)
    for title, section in (*SECTIONS.items(), (PLUGINS, tuple(added))):
        present = [name for name in section if name in names]
        if present:
            yield title, present
