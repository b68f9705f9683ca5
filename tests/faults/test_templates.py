"""A template file that is being written is an error of its cell, and never an empty prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gemma_eval.config import templates
from gemma_eval.errors import ConfigError, TemplateError
from gemma_eval.prompts.templates import fill
from tests.examples import a_case


def test_a_writer_beside_a_reader_never_makes_a_template_ask_nothing(tmp_path: Path) -> None:
    """A real process writes halves, empties, removes and swaps it; what is read asks something, or fails."""
    program = """
import os, sys, time
path, whole = sys.argv[1], b"---\\nversion: '1'\\n---\\n" + b"x" * 4000 + b"{{ query }}"
end = time.monotonic() + 1.0
while time.monotonic() < end:
    for data in (whole, whole[:19], b"", whole[:2000], whole):
        with open(path, "wb") as file:
            file.write(data)
    os.unlink(path)
    with open(path + ".new", "wb") as file:
        file.write(whole)
    os.replace(path + ".new", path)
"""
    path = tmp_path / "t.md"
    path.write_text("{{ query }}")
    ways: dict[str, int] = {}
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as writer:
        while writer.poll() is None:
            try:
                made = fill(templates.read(path), a_case(), ())
            except (ConfigError, TemplateError) as error:
                ways[type(error).__name__] = ways.get(type(error).__name__, 0) + 1
            else:
                assert made.strip()
                ways["asked"] = ways.get("asked", 0) + 1
    assert ways.get("asked")
    assert ways.get("ConfigError") or ways.get("TemplateError")
