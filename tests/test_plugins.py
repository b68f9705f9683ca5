"""One door for built-ins and plugins alike."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import gemma_eval
from gemma_eval.errors import PluginError, UnknownName
from gemma_eval.plugins import Registered, load
from gemma_eval.protocols import RegisterScorer, Scorer, ScorerFactory
from gemma_eval.records import Case, Generation, Options, Score


class Shouting:
    """A plugin with one scorer: is the answer in capitals?"""

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Register it as a conftest.py would."""
        register("shouts", shouts)


def shouts(options: Options) -> Scorer:
    """Return the scorer."""

    def score(case: Case, generation: Generation) -> Score:
        return Score(scorer="shouts", value=float(generation.text.isupper()), passed=None)

    return score


def test_a_plugin_registers_beside_the_built_ins() -> None:
    """Both are found by name, and their owner is known."""
    registry = load([Shouting()])
    assert registry.scorers.find("shouts") is shouts
    assert registry.scorers.owner("equals") == "gemma_eval"
    assert {"html", "markdown", "json"} <= set(registry.reporters)


def test_every_built_in_name_can_be_loaded() -> None:
    """No `module:object` string points nowhere."""
    registry = load()
    kinds = (
        registry.backends,
        registry.transforms,
        registry.scorers,
        registry.retrievers,
        registry.reporters,
    )
    for kind in (*kinds, registry.commands):
        assert len(kind) > 0
        assert all(callable(kind[name]) for name in kind)


def test_an_unknown_name_comes_with_a_suggestion() -> None:
    """The kind is named too."""
    with pytest.raises(UnknownName, match='no scorer named "contans"; did you mean "contains"'):
        load().scorers.find("contans")


def test_a_name_that_is_taken_is_an_error_that_names_both() -> None:
    """Nobody replaces a built-in by accident."""

    class Thief:
        @gemma_eval.hookimpl
        def register_scorers(self, register: RegisterScorer) -> None:
            register("equals", "somewhere:else")

    with pytest.raises(PluginError, match=r'"equals" is registered twice, by "gemma_eval" and'):
        load([Thief()])


def test_a_misspelt_hook_is_an_error() -> None:
    """A plugin that would never be called says so."""

    class Typo:
        @gemma_eval.hookimpl
        def register_scorer(self, register: RegisterScorer) -> None: ...

    with pytest.raises(PluginError, match="register_scorer"):
        load([Typo()])


def test_a_target_that_cannot_be_imported_names_the_plugin() -> None:
    """The person who installed it knows whom to ask."""
    registered: Registered[object] = Registered("scorer")
    registered.add("lost", "no_such_module:thing", owner="acme")
    with pytest.raises(PluginError, match='scorer "lost" of "acme": cannot load "no_such_module:thing"'):
        registered.find("lost")


class Faulty:
    """A plugin with a fault in its hook."""

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Look up what is not there."""
        scorers: dict[str, ScorerFactory] = {}
        register("never", scorers["scorer"])


def test_a_hook_with_a_fault_names_the_hook() -> None:
    """One line, where a traceback of plugin machinery stood."""
    with pytest.raises(PluginError, match=r"register_scorers failed: KeyError: .scorer"):
        load([Faulty()])


def test_a_module_with_a_fault_names_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only one that does not exist."""
    (tmp_path / "module_with_a_fault.py").write_text("unheard_of")
    monkeypatch.syspath_prepend(tmp_path)
    scorers: Registered[object] = Registered("scorer")
    scorers.add("lost", "module_with_a_fault:thing", owner="acme")
    with pytest.raises(PluginError, match=r'scorer "lost" of "acme": cannot load .* NameError: name'):
        scorers.find("lost")


def test_a_target_is_imported_on_first_use_only() -> None:
    """Listing the names loads nothing."""
    registered: Registered[object] = Registered("thing")
    registered.add("space", "types:SimpleNamespace", owner="acme")
    assert list(registered) == ["space"]
    assert registered["space"] is SimpleNamespace
    assert registered["space"] is registered.find("space")
