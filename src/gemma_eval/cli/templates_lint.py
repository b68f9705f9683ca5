"""`gemma-eval templates lint`: what is wrong with templates, before anything is asked with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gemma_eval.cli import chosen, completing, edited, screen


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One finding at a line of a file, 0 where none can be named; a warning may stay."""

    path: Path
    line: int
    what: str
    is_warning: bool = False

    def __str__(self) -> str:
        """Return `path:line: what`."""
        where = f"{edited.short(self.path)}:{self.line}" if self.line else edited.short(self.path)
        return f"{where}: {'warning: ' if self.is_warning else ''}{self.what}"


@click.command(short_help="Say what is wrong with templates.")
@click.argument("names", metavar="[NAME|PATH]...", nargs=-1, shell_complete=completing.templates)
@screen.json_option
@click.pass_context
def lint(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Look for what is wrong with templates by their NAMEs or PATHs; all that there are if none is given.

    Found are mistakes in front matter and syntax, variables that there are not, parts that cannot be read,
    blocks and texts that are never shown, what the sandbox forbids, <bos> written twice, and what fails when
    it is rendered with a sample question. Ends with 2 where there is more than warnings.
    """
    paths = list(_paths(names))
    found = sorted(set(_findings(paths)), key=lambda each: (str(each.path), each.line, each.what))
    if as_json:
        screen.print_json([_as_plain(each) for each in found])
    else:
        for each in found:
            click.echo(each)
        _sum_up(len(paths), found)
    if any(not each.is_warning for each in found):
        ctx.exit(2)


def _paths(names: Sequence[str]) -> Iterator[Path]:
    """Yield the files that are meant, once each. Raises UnknownName."""
    from gemma_eval.config.templates import paths
    from gemma_eval.files.read import exists

    folders = dict.fromkeys(place.folder / "templates" for place in edited.places())
    every = [path for folder in folders for path in paths(folder)]
    if not names:
        yield from every
        return
    by_name: dict[str, list[Path]] = {}
    for path in every:
        by_name.setdefault(path.stem, []).append(path)
    for name in dict.fromkeys(names):
        if name not in by_name and exists(Path(name), "file"):
            yield Path(name).absolute()
        else:
            yield from chosen.find("template", name, by_name)


def _findings(paths: Iterable[Path]) -> Iterator[Said]:
    from gemma_eval.config import templates
    from gemma_eval.errors import ConfigError
    from gemma_eval.files.rows import name_flaw
    from gemma_eval.prompts.lint import lint as findings

    models = _models()
    for path in paths:
        if what := name_flaw(path.stem):
            yield Said(path=path, line=0, what=f"the name of the file {what}")
            continue
        if path.suffix == ".md" and path.with_suffix(".jinja").exists():
            what = f"there is {path.stem}.jinja as well, and both are one template; keep one"
            yield Said(path=path, line=0, what=what)
        try:
            template = templates.read(path)
        except ConfigError as error:
            yield from (Said(path=each.path, line=each.line, what=each.what) for each in error.problems)
            continue
        for each in findings(template, models=models):
            where = path.parent / each.part if each.part else path
            yield Said(path=where, line=each.line, what=each.what, is_warning=each.is_warning)


def _models() -> tuple[str, ...]:
    """Return the models that there are; none where their files cannot be read, which is no matter here."""
    from gemma_eval.config import models
    from gemma_eval.config.catalog import FILES
    from gemma_eval.errors import ConfigError

    found: list[str] = []
    for place in edited.places():
        if (path := place.folder / FILES["model"]).exists():
            try:
                found += models.load(path)
            except ConfigError:
                return ()
    return tuple(found)


def _sum_up(n_templates: int, found: Sequence[Said]) -> None:
    n_warnings = sum(each.is_warning for each in found)
    counts = f"{_n(len(found) - n_warnings, 'problem')}, {_n(n_warnings, 'warning')}"
    click.echo(f"{_n(n_templates, 'template')}: {counts}")


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _as_plain(each: Said) -> dict[str, object]:
    kind = "warning" if each.is_warning else "problem"
    return {"file": str(each.path), "line": each.line or None, "kind": kind, "what": each.what}
