"""Published values as pytest items: what `--gemma-selftest` runs."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from gemma_eval import plugins
from gemma_eval.plugins import Registry
from gemma_eval.pytest_plugin.suites import collect_nothing_else
from gemma_eval.selftest.scorers import check_vector
from gemma_eval.selftest.vectors import FOLDER, Published, Vector, published

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackStyle


class VectorFailure(Exception):
    """A scorer gives another value than was published; the message says which."""


class Vectors:
    """Adds the items; beside them nothing is collected but what was asked for."""

    def __init__(self, config: pytest.Config) -> None:
        """Keep pytest from its usual places."""
        collect_nothing_else(config)
        self._registry = plugins.load()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Add an item for each vector, in the order of the files."""
        for source in published():
            items.extend(session.genitems(_collector(source, session, self._registry)))
        yield


class VectorFile(pytest.File):
    """The values of one source."""

    source: Published
    registry: Registry

    def collect(self) -> list[VectorItem]:
        """Return an item for each vector."""
        return [
            VectorItem.from_parent(
                self, name=vector.name, nodeid=f"{self.nodeid}::{vector.name}", vector=vector
            )
            for vector in self.source.vectors
        ]


class VectorItem(pytest.Item):
    """One published value."""

    parent: VectorFile

    def __init__(self, *, vector: Vector, **node: object) -> None:
        """Take the vector."""
        super().__init__(**node)  # type: ignore[arg-type]
        self.vector = vector
        self.add_marker("gemma_selftest")

    def runtest(self) -> None:
        """Compute it and compare. Raises VectorFailure."""
        checked = check_vector(self.parent.registry, self.parent.source, self.vector)
        if checked.state == "not run":
            pytest.skip(checked.why)
        if checked.state == "differs":
            source = checked.source
            raise VectorFailure(f"{checked.why}\n{source.where} at {source.commit}, {source.licence}")

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """Return what differs in plain words; a traceback is kept for faults of code."""
        if isinstance(excinfo.value, VectorFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


def _collector(source: Published, session: pytest.Session, registry: Registry) -> VectorFile:
    path = FOLDER / f"{source.name}.toml"
    collector = VectorFile.from_parent(session, path=path, nodeid=f"@selftest/{source.name}")
    collector.source, collector.registry = source, registry
    return collector
