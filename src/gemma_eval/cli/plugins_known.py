"""The installed plugins one by one: what each of them registers, and why one cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import EntryPoint, entry_points

from gemma_eval import __version__
from gemma_eval.errors import PluginError
from gemma_eval.hookspecs import PROJECT
from gemma_eval.plugins import Registered, Registry, load


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """A plugin with the names that it registers by kind; `broken` is why it cannot be loaded, or ""."""

    distribution: str
    version: str
    registered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    broken: str = ""


def built_in() -> Plugin:
    """Return what ships."""
    return Plugin(distribution=PROJECT, version=__version__, registered=_names(load(installed=False)))


def installed() -> tuple[Plugin, ...]:
    """Return the plugins of other distributions, each loaded by itself, in the order of their names.

    What only shows when all are loaded, as a name that two of them register, is told of the last one.
    """
    found = sorted(entry_points(group=PROJECT), key=_distribution)
    plugins = [_loaded(entry) for entry in found]
    try:
        load()
    except PluginError as error:
        if plugins and not any(plugin.broken for plugin in plugins):
            plugins[-1] = replace(plugins[-1], broken=str(error))
    return tuple(plugins)


def _loaded(entry: EntryPoint) -> Plugin:
    plugin = Plugin(distribution=_distribution(entry), version=entry.dist.version if entry.dist else "")
    try:
        registry = load([entry.load()], installed=False)
    except PluginError as error:
        return replace(plugin, broken=str(error))
    except Exception as error:  # noqa: BLE001 - whatever the module of a plugin does when it is imported
        return replace(plugin, broken=f"{type(error).__name__}: {error}")
    return replace(plugin, registered=_names(registry, beside=_names(load(installed=False))))


def _names(
    registry: Registry, *, beside: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the names by kind, without those that another has."""
    found = {}
    for kind, registered in _kinds(registry):
        others = (beside or {}).get(kind, ())
        names = tuple(name for name in registered if name not in others)
        if names:
            found[kind] = names
    return found


def _kinds(registry: Registry) -> Iterator[tuple[str, Registered[object]]]:
    for each in fields(Registry):
        if each.name != "hook":
            yield each.name, getattr(registry, each.name)


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.name
