"""`gemma-eval models export-gguf`, used as a person would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli import command
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.gemma import checkpoint
from gemma_eval.plugins import load
from tests import required


@pytest.fixture(autouse=True)
def package() -> None:
    """Writing needs the gguf package."""
    required.module("gguf", extra="gguf")


def export(*arguments: str) -> str:
    """Run the command with these arguments and return what it printed."""
    given = ("models", "export-gguf", *arguments)
    result = CliRunner().invoke(command(load()), given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("asked", "stored"), [((), "F16"), (("--dtype", "q8_0"), "Q8_0")])
def test_the_pocket_model_is_written_with_one_line_about_it(
    tmp_path: Path, asked: tuple[str, ...], stored: str
) -> None:
    """Path, size and type; the name of a type may be in small letters."""
    target = tmp_path / "pocket.gguf"
    printed = export("@pocket", str(target), *asked)
    assert printed == f"{target}: {target.stat().st_size:,} bytes, {stored}\n"
    assert checkpoint.load(target).weights.stored_dtype == stored


def test_a_file_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    """What was there stays as it was."""
    target = tmp_path / "pocket.gguf"
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"exists; give another name, or --replace to replace it"):
        export("@pocket", str(target))
    assert target.read_text() == "mine"
    export("@pocket", str(target), "--replace")
    assert checkpoint.load(target).architecture.family == "gemma3"


def test_a_misspelt_type_is_suggested(tmp_path: Path) -> None:
    """Types that only llama.cpp's own tool writes are told apart from those that are written here."""
    with pytest.raises(UnknownName, match=r'no dtype named "Q8_O"; did you mean "Q8_0"'):
        export("@pocket", str(tmp_path / "pocket.gguf"), "--dtype", "q8_o")


def test_a_gguf_file_is_not_exported_again(tmp_path: Path) -> None:
    """Quantising what was quantised would cost more than it says."""
    export("@pocket", str(tmp_path / "pocket.gguf"))
    with pytest.raises(UsageError, match="is a GGUF file already"):
        export(str(tmp_path / "pocket.gguf"), str(tmp_path / "again.gguf"))


def test_a_target_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The folder is not made: it may be misspelt."""
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        export("@pocket", str(tmp_path / "nowhere" / "pocket.gguf"))


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path) -> None:
    """With `--replace` neither: a device, written to as a file, would be one no more."""
    target = tmp_path / "pipe.gguf"
    os.mkfifo(target)
    with pytest.raises(UsageError, match="is no ordinary file, and is not replaced"):
        export("@pocket", str(target), "--replace")
    assert target.is_fifo()
