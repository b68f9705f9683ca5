"""`gemma-eval doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from textwrap import wrap

import click

from gemma_eval.cli.doctor_findings import Check, Finding, guarded
from gemma_eval.cli.screen import json_option, print_json

_WIDTH = 80
_INDENT = 24
_COLOURS = {"ok": "green", "note": "yellow", "FAIL": "red"}


@click.command(short_help="Say what works here, and what to do about the rest.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at what is installed, the engines, databases, folders, the machine and the configuration.

    Each engine is tried: it loads the model that ships and writes a token. Servers are asked whether they
    are there if a file of this user or project names them. A line is "ok", a "note" of what is missing or
    could be better, or "FAIL" for what nothing works without; then the exit code is 1.
    """
    found: list[dict[str, str]] = []
    for title, findings in examined():
        if not as_json:
            click.secho(title, bold=True)
        for finding in findings:
            found.append({"section": title, **asdict(finding)})
            if not as_json:
                click.echo("\n".join(_lines(finding)))
    if as_json:
        print_json(found)
    else:
        click.echo(_ending([each["state"] for each in found]))
    ctx.exit(int(any(each["state"] == "FAIL" for each in found)))


def examined() -> Iterator[tuple[str, Iterable[Finding]]]:
    """Yield the sections with what is found in each; how busy the machine is comes before engines run."""
    from gemma_eval.cli import doctor_engines as engines
    from gemma_eval.cli import doctor_install as install
    from gemma_eval.cli import doctor_machine as machine

    yield (
        "Machine",
        _all(
            ("machine", machine.processors),
            ("noise", machine.noise),
            ("GPU", machine.gpu),
            ("terminal", machine.terminal),
        ),
    )
    yield (
        "Installed",
        _all(
            ("Python", install.python),
            ("gemma_eval", install.packages),
            ("BLAS", install.blas),
            ("extras", install.extras),
            ("embedder", install.embedder),
            ("plugins", install.plugins),
            needed=("Python", "gemma_eval", "plugins"),
        ),
    )
    yield (
        "Engines",
        _all(
            ("engines", _tried),
            ("gemma_cpp", engines.gemma_cpp),
            ("servers", engines.servers),
            ("redis", engines.redis),
            needed=("engines",),
        ),
    )
    yield (
        "Files",
        _all(
            ("SQLite", machine.sqlite),
            ("folders", machine.folders),
            ("config", install.configuration),
            needed=("SQLite", "folders", "config"),
        ),
    )


def _tried() -> Iterator[Finding]:
    from gemma_eval.cli.doctor_engines import begin

    trials, others = begin()
    for trial in trials:
        _say(f"  {trial.backend} is to write a token")
        finding = trial.finding()
        _say("")
        yield finding
    yield from others


def _say(what: str) -> None:
    """Show on a terminal what is waited for, until something else is said."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what}", err=True, nl=False)


def _all(*checks: tuple[str, Check], needed: tuple[str, ...] = ()) -> Iterator[Finding]:
    for what, check in checks:
        yield from guarded(what, check, needed=what in needed)


def _lines(finding: Finding) -> Iterator[str]:
    """Yield a finding in 80 columns, with its mark, which can be read without its colour."""
    mark = click.style(f"{finding.state:<4}", fg=_COLOURS[finding.state])
    what = f"{finding.what:<{_INDENT - 8}}"
    told = wrap(finding.told, _WIDTH - _INDENT) or [""]
    yield f"  {mark}  {what}{told[0]}" if len(finding.what) < _INDENT - 8 else f"  {mark}  {what} {told[0]}"
    indent = " " * _INDENT
    yield from (f"{indent}{line}" for line in told[1:])
    yield from (
        wrap(f"-> {finding.advice}", _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}   ")
        if (finding.advice)
        else ()
    )


def _ending(states: list[str]) -> str:
    failed, noted = states.count("FAIL"), states.count("note")
    if failed:
        return click.style(f"{failed} of {len(states)} must be mended before anything works", fg="red")
    notes = "1 note" if noted == 1 else f"{noted} notes"
    return click.style(f"all that is needed works; {notes}", fg="green")
