"""Embedders are loaded once, whoever asks and whatever comes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import pytest

from gemma_eval import hookimpl, plugins
from gemma_eval.backends.hashing import Hashing
from gemma_eval.errors import ServerError
from gemma_eval.executors.embedders import Embedders
from gemma_eval.protocols import Embedder, RegisterEmbedder
from gemma_eval.records import ModelSpec

THERE = ModelSpec(name="there", backend="counted", location="up")
GONE = ModelSpec(name="gone", backend="counted", location="down")


class Counted:
    """A plugin with an embedder that counts how often it is loaded, and one that cannot be."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    @hookimpl
    def register_embedders(self, register: RegisterEmbedder) -> None:
        """Add both."""
        register("counted", self._load)

    def _load(self, spec: ModelSpec) -> Embedder:
        self.loaded.append(spec.name)
        sleep(0.02)  # so that the other threads ask meanwhile
        if spec.location == "down":
            raise ServerError("http://host: no connection")
        return Hashing(dimensions=8)


def test_threads_that_ask_at_once_have_one_loaded() -> None:
    """A model takes memory, and loading it time."""
    plugin = Counted()
    embedders, barrier = Embedders(registry=plugins.load([plugin])), Barrier(4)

    def ask(_: int) -> Embedder:
        barrier.wait()
        return embedders.embedder(THERE)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(ask, range(4)))
    assert plugin.loaded == ["there"]
    assert all(each is made[0] for each in made)


def test_one_that_could_not_be_loaded_is_not_tried_again() -> None:
    """A server that is down would be waited for with each question; the error gathers nothing."""
    plugin = Counted()
    embedders = Embedders(registry=plugins.load([plugin]))
    depths = []
    for _ in range(3):
        with pytest.raises(ServerError, match="no connection") as caught:
            embedders.embed(GONE, ["Where does Finn live?"])
        depths.append(len(caught.traceback))
    assert plugin.loaded == ["gone"]
    assert len(set(depths)) == 1
