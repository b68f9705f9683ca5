"""Spreads cells over pytest-xdist workers so that a model stays on one worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_SPREADING = ("load", "loadscope", "loadgroup")


def scheduler(
    config: pytest.Config, log: Producer, *, scope_of: Callable[[str], str | None]
) -> LoadScopeScheduling | None:
    """Return a scheduler that keeps items of one scope together; `None` leaves the choice to xdist.

    `scope_of` maps a node id to its scope, `None` for an item that is not ours. With a mode that was
    chosen for another purpose (`each`, `loadfile`, `worksteal`) that choice stands.
    """
    mode = config.getoption("dist")
    if mode not in _SPREADING:
        return None
    return _ModelScheduling(config, log, scope_of=scope_of, apart=mode == "load")


class _ModelScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """One scope per model; other items keep xdist's scopes, or are spread one by one (`apart`)."""

    def __init__(
        self,
        config: pytest.Config,
        log: Producer,
        *,
        scope_of: Callable[[str], str | None],
        apart: bool,
    ) -> None:
        super().__init__(config, log)
        self._scope_of = scope_of
        self._apart = apart

    def _split_scope(self, nodeid: str) -> str:
        """Return the scope of an item."""
        scope = self._scope_of(nodeid)
        if scope is not None:
            return scope
        return nodeid if self._apart else str(super()._split_scope(nodeid))

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back the work of a worker that is gone, and return the item that it died on.

        That item counts as done: xdist would give it to the next worker, and the next.
        """
        units = self.assigned_work[node].values()
        running = next(((unit, item) for unit in units for item, done in unit.items() if not done), None)
        if running is None:
            return cast("str | None", super().remove_node(node))
        unit, item = running
        unit[item] = True
        super().remove_node(node)
        return cast(str, item)
