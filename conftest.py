"""The code blocks of README.md and docs/ are tests: each is run by the evaluator of its language."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from tests.docs.blocks import Block

ROOT = Path(__file__).parent

pytest_plugins = ["pytester"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the pages of the documentation."""
    is_page = file_path == ROOT / "README.md" or (
        file_path.parent == ROOT / "docs" and file_path.suffix == ".md"
    )
    return Page.from_parent(parent, path=file_path) if is_page else None


class Page(pytest.File):
    """A page; its blocks run in order and share a scratch folder and a namespace."""

    folder: TemporaryDirectory[str]
    environment: pytest.MonkeyPatch

    def collect(self) -> Iterator[pytest.Item]:
        """Find the blocks. Only now is anything imported for it: a run without pages pays nothing."""
        from tests.docs.blocks import find

        for line, block in find(self.path):
            yield BlockItem.from_parent(self, name=f"{line}-{block.language}", line=line, block=block)

    def setup(self) -> None:
        """Make the folder that the blocks run in, and keep them from writing to the user's cache."""
        self.folder = TemporaryDirectory(prefix="gemma_eval_page_")
        self.environment = pytest.MonkeyPatch()
        self.environment.setenv("XDG_CACHE_HOME", str(Path(self.folder.name) / ".cache"))
        self.environment.setenv("GEMMA_EVAL_CONFIG", str(Path(self.folder.name) / ".config"))

    def teardown(self) -> None:
        """End and remove what the blocks have left."""
        from tests.docs.commands import end_background

        end_background()
        self.environment.undo()
        self.folder.cleanup()


class BlockItem(pytest.Item):
    """A block of a page; its name is its line and language."""

    def __init__(self, *, line: int, block: Block, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.line = line
        self.block = block

    def runtest(self) -> None:
        """Run the block."""
        from tests.docs.blocks import check

        check(self.block, folder=Path(cast(Page, self.parent).folder.name))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """Show the block and what went wrong in it."""
        is_told = isinstance(excinfo.value, AssertionError) and bool(excinfo.value.args)
        show = traceback.format_exception_only if is_told else traceback.format_exception
        wrong = "".join(show(excinfo.value))
        return f"{self.path}:{self.line}\n{textwrap.indent(self.block.source, '    ')}\n{wrong}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the block stands."""
        return self.path, self.line - 1, f"{self.path.name}, line {self.line}"
