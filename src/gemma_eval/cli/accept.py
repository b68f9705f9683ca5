"""`gemma-eval accept RUN GATE`: accept a regression for a while, in a file that is reviewed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from gemma_eval.cli import completing, database
from gemma_eval.cli.database import default as default_database
from gemma_eval.config import accepted
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Acceptance, Gated, Run
from gemma_eval.store.read import open_reader

FILE = Path("gemma-accepted.toml")


@click.command(short_help="Accept a regression for a while, with a reason.")
@click.argument("run", shell_complete=completing.runs)
@click.argument("gate")
@click.option("--reason", required=True, help="Why it may be so; whoever reviews the file reads it.")
@click.option("--group", help="Its names, as MODEL/PROFILE/TEMPLATE, then /RETRIEVAL if there is one.")
@click.option("--expires", default="30d", show_default=True, help="When: days, weeks (2w) or a day.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=FILE,
    show_default=True,
    help="The file with what was accepted.",
)
@database.option
def accept(  # noqa: PLR0913 - a parameter for each argument and option
    *, run: str, gate: str, reason: str, group: str | None, expires: str, path: Path, database: Path
) -> None:
    """Accept that GATE of RUN regressed: an id as score, or score[pocket/greedy/rag] where several groups
    have it. RUN is an id from `gemma-eval runs`, or "latest".

    It is written at the end of the file: commit that, so that it is reviewed. Until it expires the gate
    counts as ACCEPTED, unless it gets worse by more than the margin again.
    """
    if not reason.strip():
        raise UsageError("--reason is empty; say why the regression may be, for whoever reviews the file")
    today = datetime.now(UTC).date().isoformat()
    until = accepted.expiry(expires, today=today)
    recorded, gated = _gates(database, run)
    regressed = _regressed(gated, gate, group=group)
    accepted.accept(path, _acceptance(recorded, regressed, reason=reason, today=today, until=until))
    click.echo(f"{path}: {regressed.id} of run {recorded.id} is accepted until {until}")
    given = [*_given("--accepted", path, FILE), *_given("--db", database, default_database())]
    again = shlex.join(["gemma-eval", "gate", recorded.id, *given])
    click.echo(f"commit the file; {again} then says ACCEPTED")


def _given(option: str, path: Path, usual: Path) -> tuple[str, ...]:
    """Return the words that name a path, none if it is the usual one."""
    return () if path == usual else (option, str(path))


def _gates(database: Path, run_id: str) -> tuple[Run, Sequence[Gated]]:
    with closing(open_reader(database)) as reader:
        run = reader.run(run_id)
        gating = reader.gating(run.id)
    if gating is None:
        raise UsageError(f"run {run.id} was held against no gate; gemma-eval gate {run.id} does that")
    if not gating.gated:
        raise UsageError(f"run {run.id} has no gate that is about any of its groups")
    return run, gating.gated


def _regressed(gated: Sequence[Gated], given: str, *, group: str | None) -> Gated:
    """Return the one gate that is meant. Raises UnknownName, or UsageError: several, or none regressed."""
    found = [each for each in gated if given in (each.gate.id, each.id)]
    if not found:
        raise UnknownName("gate", given, {each.gate.id for each in gated} | {each.id for each in gated})
    if group is not None:
        groups = {each.group_id for each in found}
        found = [each for each in found if each.group_id == group]
        if not found:
            raise UnknownName(f"group of {given}", group, groups)
    regressed = [each for each in found if each.comparison.verdict == "REGRESSED"]
    if not regressed:
        told = "; ".join(f"{each.id} is {_verdict(each)}" for each in found)
        raise UsageError(f"only what REGRESSED can be accepted: {told}")
    if len(regressed) > 1:
        ids = ", ".join(f'"{each.id}"' for each in regressed)
        raise UsageError(f"{given} regressed in {len(regressed)} groups; accept them one by one: {ids}")
    return regressed[0]


def _verdict(gated: Gated) -> str:
    verdict, acceptance = gated.comparison.verdict, gated.acceptance
    return f"ACCEPTED until {acceptance.expires}" if verdict == "ACCEPTED" and acceptance else verdict


def _acceptance(run: Run, gated: Gated, *, reason: str, today: str, until: str) -> Acceptance:
    found = gated.comparison
    if found.difference is None:
        raise UsageError(f"{gated.id} has no difference that could be accepted")
    return Acceptance(
        gate=gated.gate.id,
        group=gated.group_id,
        difference=found.difference,
        low=found.low,
        reason=reason.strip(),
        author=_author(),
        run=run.id,
        commit=run.commit,
        accepted=today,
        expires=until,
    )


def _author() -> str:
    """Return who accepts: git's `user.name`, or the name of the user. Raises UsageError: neither is set."""
    named = _git_user() or os.environ.get("USER", "").strip()
    if not named:
        raise UsageError('nobody is named who accepts it; set one, as git config user.name "Ada Lovelace"')
    return named


def _git_user(*, git: str = "git") -> str:
    command = [git, "config", "user.name"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
