"""`gemma-eval config show` and `config path`: settings with where each was chosen, and the folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, screen
from gemma_eval.cli.edited import places, short
from gemma_eval.errors import ConfigError, UnknownName, UsageError

if TYPE_CHECKING:
    from gemma_eval.config.places import Place
    from gemma_eval.config.settings import Origin, Settings
    from gemma_eval.config.settings_keys import Key

_OF_SUITE = "a suite has no settings of its own"


@click.command("show", short_help="Show settings, and where each was chosen.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--origin", is_flag=True, help="Say where each was chosen, what the folders have, what overrules."
)
@screen.json_option
def show(*, keys: tuple[str, ...], origin: bool, as_json: bool) -> None:
    """Show all settings, or those of each KEY, as chat.model, or chat for all that begin so.

    With --origin the folders are listed by precedence with what they have, and the names that stand in
    several of them.
    """
    settings = chosen.settings()
    picked = _picked(keys)
    if as_json:
        screen.print_json(_as_json(settings, picked))
        return
    rows = [(key.name, _value(settings, key), _where(settings.origin(key.name))) for key in picked]
    if not origin:
        screen.table(("setting", "value"), [row[:2] for row in rows])
        return
    screen.table(("setting", "value", "chosen in"), rows)
    if not keys:
        click.echo()
        screen.table(("of this, the later wins", "where", "has"), _layers())
        _show_overruled()


@click.command("path", short_help="Print where settings.yaml is.")
@click.option("--user", is_flag=True, help="That of the user.")
@click.option("--project", is_flag=True, help="That of the project.")
def path(*, user: bool, project: bool) -> None:
    """Print the paths of the settings.yaml that count here, whether they are there or not.

    \b
        nano "$(gemma-eval config path --user)"
    """
    from gemma_eval.config import settings

    known = {place.layer: file for place, file in settings.files(chosen.places())}
    wanted = [layer for layer, is_wanted in (("user", user), ("project", project)) if is_wanted]
    for layer in wanted or known:
        if layer not in known:
            raise UsageError("there is no .gemma-eval here or above; config set --project makes one")
        click.echo(known[layer])


def value(settings: Settings, key: Key) -> object:
    """Return the value of a key as plain data."""
    found = settings.value(key.name)
    if isinstance(found, tuple):
        return [str(each) for each in found]
    return str(found) if isinstance(found, Path) else found


def _picked(names: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys of these names, and those of tables; all where there are none. Raises UnknownName."""
    from gemma_eval.config.settings_keys import KEYS

    picked: dict[str, Key] = {}
    for name in names:
        found = [key for key in KEYS if name in (key.name, key.path[0])]
        if not found:
            raise UnknownName("setting", name, [key.name for key in KEYS])
        picked |= {key.name: key for key in found}
    return tuple(picked.values()) if names else KEYS


def _value(settings: Settings, key: Key) -> str:
    from gemma_eval.config.edit_settings import written

    return written(value(settings, key))


def _where(origin: Origin) -> str:
    file = f"{short(Path(origin.where))}:{origin.line}" if origin.line else origin.where
    return f"{origin.layer}: {file}" if file else origin.layer


def _layers() -> list[tuple[str, str, str]]:
    """Return the layers by precedence: what each is called, where it is, what it has."""
    from gemma_eval.config.places import PRECEDENCE
    from gemma_eval.config.settings_keys import KEYS

    by_layer = {place.layer: place for place in places()}
    set_ = [key.variable for key in KEYS if os.environ.get(key.variable, "").strip()]
    rows = {
        "ini": ("the ini file of pytest", ", ".join(key.ini for key in KEYS if key.ini)),
        "environment": ("GEMMA_EVAL_*", ", ".join(set_)),
        "command line": ("options", ""),
        "project": (".gemma-eval/ here or above", "there is none"),
    }
    for layer, place in by_layer.items():
        rows[layer] = (short(place.folder), ", ".join(_has(place)))
    return [(layer, *rows[layer]) for layer in PRECEDENCE]


def _has(place: Place) -> list[str]:
    from gemma_eval.config import validation
    from gemma_eval.config.settings import FILE

    found = [path.name for path in validation.files(place.folder)]
    return [f"{name} ({_OF_SUITE})" if place.layer == "suite" and name == FILE else name for name in found]


def _overruled() -> list[tuple[str, str, tuple[Path, ...]]]:
    """Return the names that several folders have, with the folders; the last one counts."""
    try:
        catalog = chosen.catalog()
    except ConfigError:
        click.echo("a file cannot be read; gemma-eval config validate says what is wrong with it", err=True)
        return []
    return [
        (kind, name, folders) for (kind, name), folders in sorted(catalog.origins.items()) if len(folders) > 1
    ]


def _show_overruled() -> None:
    if found := _overruled():
        click.echo()
        rows = [
            (f"{kind} {name}", short(folders[-1]), ", ".join(map(short, folders[:-1])))
            for kind, name, folders in found
        ]
        screen.table(("name", "counts as in", "and not as in"), rows)


def _as_json(settings: Settings, picked: Sequence[Key]) -> Mapping[str, object]:
    from gemma_eval.config.places import PRECEDENCE

    return {
        "settings": {key.name: _described(settings, key) for key in picked},
        "precedence": list(PRECEDENCE),
        "places": [
            {
                "layer": place.layer,
                "folder": str(place.folder),
                "exists": place.folder.is_dir(),
                "has": [name.partition(" ")[0] for name in _has(place)],
            }
            for place in places()
        ],
        "overruled": [
            {"kind": kind, "name": name, "folders": [str(folder) for folder in folders]}
            for kind, name, folders in _overruled()
        ],
    }


def _described(settings: Settings, key: Key) -> Mapping[str, object]:
    origin = settings.origin(key.name)
    return {
        "value": value(settings, key),
        "layer": origin.layer,
        "where": origin.where or None,
        "line": origin.line or None,
        "variable": key.variable,
        "option": key.option or None,
    }
