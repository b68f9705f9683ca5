"""What can be chosen, and the settings, as the files of all places have them now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from gemma_eval.config import catalog, settings
from gemma_eval.config.catalog import Catalog
from gemma_eval.config.live import Live
from gemma_eval.config.places import Place
from gemma_eval.config.settings import Settings
from gemma_eval.records import Choice, Reloaded

SETTINGS = "settings.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Models, profiles, templates and settings that were read together."""

    catalog: Catalog
    settings: Settings


def live_choices(  # noqa: PLR0913 - where, what is given, and who is told
    places: Sequence[Place],
    *,
    folders: Sequence[Path] = (),
    environment: Mapping[str, str],
    given: Mapping[str, object] | None = None,
    validate: Callable[[Choices], object] = lambda _: None,
    on_reload: Sequence[Callable[[Reloaded], object]] = (),
    say: Callable[[str], object] = lambda _: None,
) -> Live[Choices]:
    """Return the choices of the places, and of further `folders` that win over them. Raises ConfigError.

    How often files are looked at, and for how long they must rest, is what the settings say at first. Of a
    file that is damaged then its last good version is used, which is said; one that is damaged later is
    refused, for what was read of it before is newer.
    """
    known = (*(place.folder for place in places), *folders)
    damaged: Literal["recover", "refuse"] = "recover"

    def read() -> Choices:
        found = settings.load(places, environment=environment, given=given, damaged=damaged)
        return Choices(catalog=catalog.load(known, damaged=damaged), settings=found)

    first = settings.load(places, environment=environment, given=given)
    live = Live(
        read,
        paths=lambda: paths(known, [place.folder for place in places]),
        validate=validate,
        names=choices,
        on_reload=on_reload,
        say=say,
        poll_s=first.reload_poll_s,
        quiet_s=first.reload_quiet_s,
    )
    damaged = "refuse"
    for notice in (*live.value.settings.notices, *live.value.catalog.notices):
        say(notice)
    return live


def paths(folders: Sequence[Path], of_settings: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield the files and folders that choices are read from, whether they are there or not."""
    for folder in dict.fromkeys(folders):
        yield from (folder / name for name in catalog.FILES.values())
    yield from (folder / SETTINGS for folder in dict.fromkeys(of_settings))


def choices(value: Choices) -> Mapping[Choice, object]:
    """Return all that is chosen by its kind and name."""
    found: dict[Choice, object] = {("model", name): spec for name, spec in value.catalog.models.items()}
    found |= {("profile", name): profile for name, profile in value.catalog.profiles.items()}
    found |= {("template", name): template for name, template in value.catalog.templates.items()}
    names = (each.name for each in fields(value.settings) if each.name not in ("origins", "notices"))
    return found | {("setting", name): getattr(value.settings, name) for name in names}
