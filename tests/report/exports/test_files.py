"""An export is the same each time, stays in its folder, and never writes over what is there unasked."""

from __future__ import annotations

import string
import sys
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import MissingDependency, UsageError
from gemma_eval.report.exports.files import ExportedFile, write
from gemma_eval.report.exports.formats import FORMATS
from gemma_eval.report.exports.parquet import parquet_files
from gemma_eval.report.exports.parts import portable
from tests.report.exports.runs import RUNS, hostile, quality


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_run_gives_the_same_bytes(name: str) -> None:
    """Names and contents, without the time of day."""
    assert FORMATS[name](quality()) == FORMATS[name](quality())


@pytest.mark.parametrize("name", FORMATS)
def test_no_name_of_a_run_leads_out_of_the_folder(name: str) -> None:
    """Names of suites and models are made plain, and no two files are one."""
    files = FORMATS[name](hostile())
    paths = [PurePosixPath(file.path) for file in files]
    assert all(not path.is_absolute() and ".." not in path.parts for path in paths)
    assert len({str(path).casefold() for path in paths}) == len(paths)


@given(st.text())
@settings(max_examples=50)
def test_a_plain_name_is_one_that_every_system_takes(name: str) -> None:
    """No separator, no dot at the end, no reserved name; a name that is plain stays as it is."""
    plain = portable(name)
    assert set(plain) <= set("-._" + string.ascii_letters + string.digits)
    assert plain not in {"", ".", "..", "data"}
    assert not plain.endswith(".")
    assert portable(plain) == plain


def test_reserved_names_are_not_used() -> None:
    """A suite called `data` or `con` has a folder all the same, and no two names have one."""
    names = ("data", "con", "NUL.txt", "a/b", "a b", "a_b", "standard", "gemma-3.gguf", "..")
    plain = [portable(name) for name in names]
    assert len(set(plain)) == len(names)
    assert plain[5:8] == ["a_b", "standard", "gemma-3.gguf"]
    assert plain[0].startswith("data_")


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """Nothing at all is written then; `replace` writes over it."""
    files = [ExportedFile(path=f"a/{name}", data=b"new") for name in ("one", "two")]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "two").write_bytes(b"old")
    with pytest.raises(UsageError, match=r"two: exists.*--replace"):
        write(files, folder=tmp_path)
    assert [path.read_bytes() for path in (tmp_path / "a").iterdir()] == [b"old"]
    assert [path.read_bytes() for path in write(files, folder=tmp_path, existing="replace")] == [b"new"] * 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose a folder that can be written"):
        write([ExportedFile(path="x/y", data=b"")], folder=tmp_path / "file")


def test_parquet_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pip line."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemma_eval\[analysis\]"'):
        parquet_files(RUNS["quality"]())
