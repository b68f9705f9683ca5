"""`gemma-eval profiles`: the sampling profiles that can be named, what they set, and how they differ."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing, edited, screen
from gemma_eval.cli.profiles_changed import copy, remove, set_

if TYPE_CHECKING:
    from gemma_eval.config.as_written import AsWritten, Written
    from gemma_eval.records import SamplingProfile


@click.group(short_help="The sampling profiles: list, show, compare, change.")
def profiles() -> None:
    """List, show, compare and change the sampling profiles of profiles.json."""


@profiles.command("list", short_help="List the profiles.")
@screen.json_option
def list_(*, as_json: bool) -> None:
    """List the profiles that can be named here, what each sets, and which file it is from."""
    found = known()
    if as_json:
        screen.print_json([_as_plain(each) for each in found.of.values()])
        return
    rows = [(name, said(each[-1]), where(each[-1]), overrules(each)) for name, each in found.of.items()]
    screen.table(("profile", "sets", "from", "overrules"), rows)


@profiles.command(short_help="Show a profile with its defaults.")
@click.argument("name", shell_complete=completing.profiles)
@screen.json_option
def show(*, name: str, as_json: bool) -> None:
    """Show all that holds with the profile NAME: what it sets, and the defaults of the rest."""
    from rich.text import Text

    all_of = chosen.find("profile", name, known().of)
    resolved = _resolved(all_of[-1].value)
    if as_json:
        screen.print_json(_as_plain(all_of) | {"resolved": resolved})
        return
    click.echo(f"{name}: {where(all_of[-1])}:{all_of[-1].line}")
    if others := overrules(all_of):
        click.echo(f"overrules that of {others}")
    given = all_of[-1].table
    rows = (
        (Text(key, style="bold"), _named(key, value), "")
        if key in given
        else (Text(key, style="dim"), Text(_named(key, value), style="dim"), Text("default", style="dim"))
        for key, value in resolved.items()
    )
    screen.table(("key", "value", ""), rows)


@profiles.command(short_help="Show how two profiles differ.")
@click.argument("one", shell_complete=completing.profiles)
@click.argument("other", shell_complete=completing.profiles)
@screen.json_option
def diff(*, one: str, other: str, as_json: bool) -> None:
    """Show what differs between the profiles ONE and OTHER, defaults included."""
    of = known().of
    first, second = (_resolved(chosen.find("profile", name, of)[-1].value) for name in (one, other))
    differing = {key: (value, second[key]) for key, value in first.items() if value != second[key]}
    if as_json:
        screen.print_json({key: list(both) for key, both in differing.items()})
    elif not differing:
        click.echo(f"{one} and {other} are the same")
    else:
        rows = ((key, *(_named(key, value) for value in both)) for key, both in differing.items())
        screen.table(("key", one, other), rows)


profiles.add_command(set_)
profiles.add_command(copy)
profiles.add_command(remove)


def known() -> AsWritten[SamplingProfile]:
    """Return the profiles as they are written in the files that count here. Raises ConfigError."""
    from gemma_eval.config import as_written

    found = as_written.of_profiles(edited.places())
    chosen.say(*found.notices)
    return found


def said(written: Written[SamplingProfile]) -> str:
    """Return what a profile sets, in a line."""
    return ", ".join(f"{key} {shown(value)}" for key, value in written.table.items()) or "nothing"


def shown(value: object) -> str:
    """Return a value as a table shows it: words bare, the rest as JSON."""
    import json

    return (
        value
        if isinstance(value, str)
        else "none"
        if value is None
        else json.dumps(value, ensure_ascii=False)
    )


def _named(key: str, value: object) -> str:
    """Return a value as `shown` does, an order by its name where it has one."""
    from gemma_eval.config.profiles import ORDERS

    orders = {steps: name for name, steps in ORDERS.items()}
    steps = tuple(value) if key == "order" and isinstance(value, list) else ()
    return orders.get(steps) or shown(value)


def where(written: Written[SamplingProfile]) -> str:
    """Return the file of a profile, and its layer where that tells more."""
    return "built-in" if written.layer == "built-in" else edited.short(written.path)


def overrules(all_of: tuple[Written[SamplingProfile], ...]) -> str:
    """Return the files whose profile of the same name does not count."""
    return ", ".join(where(each) for each in all_of[:-1])


def _resolved(profile: SamplingProfile) -> dict[str, object]:
    """Return every key of a profile with its value."""
    table = asdict(profile)
    return {
        each.name: list(value) if isinstance(value := table[each.name], tuple) else value
        for each in fields(profile)
        if each.name != "name"
    }


def _as_plain(all_of: tuple[Written[SamplingProfile], ...]) -> dict[str, object]:
    last = all_of[-1]
    return {
        "name": last.value.name,
        "layer": last.layer,
        "file": str(last.path),
        "line": last.line,
        "sets": dict(last.table),
        "overrules": [str(each.path) for each in all_of[:-1]],
    }
