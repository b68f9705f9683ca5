"""`gemma-eval watch SUITE`: the inner loop of work on a prompt: edit, see what changed, accept or go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gemma_eval.cli import chosen, completing, screen
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.cli.watch_keys import Keys
    from gemma_eval.config.live import Live
    from gemma_eval.executors.rerunning import Rerunning
    from gemma_eval.executors.sheet import Sheet, Wanted
    from gemma_eval.records import Cell, Reloaded

HELP = "a accept · r rerun all · q quit"


@click.command(short_help="Rerun what an edit touches, and show the difference.")
@click.argument("suite", shell_complete=completing.suites)
@click.option("--model", multiple=True, help="Only these models.", shell_complete=completing.models)
@click.option("--profile", multiple=True, help="Only these profiles.", shell_complete=completing.profiles)
@click.option("--template", multiple=True, help="Only these templates.", shell_complete=completing.templates)
@click.option("--retrieval", multiple=True, help="Only these retrievals.")
@click.option("--case", multiple=True, help="Only these cases.")
@click.option("--repeats", type=click.IntRange(1, 10_000), help="Generations per cell, for every case.")
@click.option(
    "--kind",
    type=click.Choice(["quality", "benchmark", "retrieval"]),
    default="quality",
    show_default=True,
    help="Cases of this kind.",
)
@click.pass_obj
def watch(registry: Registry, /, *, suite: str, **given: object) -> None:
    """Run the cells of SUITE (a name or a file), and those that an edit touches again whenever one is saved.

    The engine stays loaded. After each edit of the suite, of a template, profile or model, or of a document,
    it is shown which answers changed, by how much the mean score did, and whether that proves anything. What
    an edit is held against is what was there at first, until "a" accepts what is there now; "r" runs all
    again and "q" ends. Without a terminal these are lines of the input, whose end is the end. A file that is
    broken changes nothing and is named. Options may be given again and may be globs. Nothing is recorded.
    """
    from gemma_eval.cli.suites_known import find
    from gemma_eval.cli.watch_keys import Keys
    from gemma_eval.executors import device
    from gemma_eval.executors.rerunning import Rerunning
    from gemma_eval.executors.room import Room

    path = find(suite).absolute()
    live = _live(path, registry, _wanted(given))

    def waiting(pid: int | None) -> None:
        click.echo(device.in_words(pid), err=True)

    with closing(Room(registry=registry, folder=path.parent, waiting=waiting)) as room, Keys() as keys:
        _Session(live=live, rerunning=Rerunning(room=room), keys=keys).go_on()


@dataclass(kw_only=True)
class _Session:
    """One person at work on one suite."""

    live: Live[Sheet]
    rerunning: Rerunning
    keys: Keys
    ended: bool = False

    def go_on(self) -> None:
        """Run what there is, and then what edits and keys ask for, until the end."""
        self._run(self._show_first)
        while not self.ended:
            key = self.keys.wait(self.live.wait_s)
            if key is not None:
                self._obey(key)
            elif (told := self.live.poll()) is not None:
                self._rerun(told)

    def _obey(self, key: str) -> None:
        if key == "q":
            self.ended = True
        elif key == "a":
            self.rerunning.accept(self.live.value)
            click.echo("accepted: edits are held against this from here on")
        elif key == "r":
            click.echo("all cells run again")
            self.rerunning.forget()
            self._run(self._show_difference)
        elif key.strip():
            click.echo(HELP)

    def _rerun(self, told: Reloaded) -> None:
        self._after(told)
        self._run(self._show_difference)

    def _after(self, told: Reloaded) -> list[Cell]:
        """Say what was edited, and return what is to be run."""
        from gemma_eval.cli import watch_shown

        sheet = self.live.value
        missing = list(self.rerunning.missing(sheet))
        _tell(f"\n{watch_shown.reloaded(told, cells=len(missing), of=len(sheet.cells))}")
        return missing

    def _run(self, show: Callable[[], None]) -> None:
        """Run what is missing cell by cell, also of what is edited meanwhile; then show what came of it."""
        from gemma_eval.cli.progress import say

        missing = list(self.rerunning.missing(self.live.value))
        while missing and not self.ended:
            total = len(self.live.value.cells)
            self._say(f"{total - len(missing) + 1}/{total}  {missing[0].label}", say)
            self.rerunning.run(missing.pop(0), self.live.value)
            if (told := self.live.poll()) is not None:
                missing = self._after(told)
            self.ended = self.keys.are_to_end()
        self._say("", say)
        if not self.ended:
            show()

    def _say(self, what: str, say: Callable[[str], None]) -> None:
        if self.keys.is_terminal:
            say(what)

    def _show_first(self) -> None:
        self.rerunning.accept(self.live.value)
        self._show_table()
        if self.keys.is_terminal:
            click.echo(f"\nwaits for edits · {HELP}")

    def _show_table(self) -> None:
        from gemma_eval.cli import watch_shown

        outcomes = self.rerunning.outcomes(self.live.value)
        headings, rows = watch_shown.without_empty(watch_shown.HEADINGS, watch_shown.rows(outcomes))
        if rows:
            screen.table(headings, rows, right=watch_shown.RIGHT)
        for line in (*watch_shown.failures(outcomes), *watch_shown.left_out(self.live.value.skipped)):
            click.echo(line)

    def _show_difference(self) -> None:
        from gemma_eval.cli import watch_shown

        self._show_table()
        click.echo("")
        for line in watch_shown.difference(self.rerunning.difference(self.live.value)):
            click.echo(line)


def _tell(line: str) -> None:
    """Print a line, in the place of what is shown of the progress."""
    from gemma_eval.cli.progress import say

    say("")
    click.echo(line)


def _wanted(given: dict[str, object]) -> Wanted:
    from gemma_eval.executors.sheet import Wanted

    axes = ("model", "profile", "template", "retrieval", "case")
    globs: dict[str, Sequence[str]] = {axis: given[axis] for axis in axes if given[axis]}  # type: ignore[misc]
    return Wanted(kind=given["kind"], repeats=given["repeats"], globs=globs)  # type: ignore[arg-type]


def _live(path: Path, registry: Registry, wanted: Wanted) -> Live[Sheet]:
    """Return the cells as their files have them. Raises UsageError where these are broken from the start."""
    from gemma_eval.config.live import Live
    from gemma_eval.config.places import folders
    from gemma_eval.executors import sheet

    newest: list[Sheet] = []
    settings = chosen.settings()

    def read() -> Sheet:
        damaged: Literal["recover", "refuse"] = "refuse" if newest else "recover"
        newest[:] = [sheet.read(path, registry, wanted, say=_tell, damaged=damaged)]
        return newest[0]

    def paths() -> Sequence[Path]:
        of = folders(here=Path.cwd(), environment=os.environ, suite=path)
        return sheet.files(path, newest[0] if newest else None, folders=of)

    return Live(
        read,
        paths=paths,
        names=sheet.choices,
        on_reload=[lambda reloaded: registry.hook.config_reloaded(reloaded=reloaded)],
        say=_tell,
        poll_s=settings.reload_poll_s,
        quiet_s=settings.reload_quiet_s,
    )
