"""`gemma-eval benchmark SUITE`: run suites without thinking in pytest, which is what runs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile

import click

from gemma_eval.cli import completing

DEFAULT = "standard"
USAGE_ERROR = 4
"""What pytest ends with after a mistake on the command line; all exit codes of this command are pytest's."""

_NAMING_SUITES = ("--gemma-suite", "--gemma-resume", "--gemma-selftest")


_FLAGS = (
    "-x",
    "-v",
    "-vv",
    "-q",
    "-s",
    "-l",
    "--lf",
    "--ff",
    "--nf",
    "--sw",
    "--pdb",
    "--co",
    "--gemma-plan",
)
"""Options of pytest that take no value, after which a person may write a suite."""


class _PassingOn(click.Command):
    """Takes its own long options and leaves all other words to pytest, and all that follows `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; `-h` asks for help only where it stands alone: `-khot` is pytest's."""
        end = args.index("--") if "--" in args else len(args)
        own = ["--help" if word == "-h" else word for word in args[:end]]
        try:
            left = super().parse_args(ctx, [*own, *args[end:]])
            _refuse_late(ctx.params.get("words") or ())
            return left
        except click.UsageError as error:
            error.show()
            ctx.exit(USAGE_ERROR)


@click.command(
    cls=_PassingOn,
    short_help="Measure suites, and write the report.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[SUITE]... [PYTEST OPTIONS]...",
    shell_complete=completing.suites,
)
@click.option("--model", multiple=True, help="Only these models.", shell_complete=completing.models)
@click.option("--profile", multiple=True, help="Only these profiles.", shell_complete=completing.profiles)
@click.option("--template", multiple=True, help="Only these templates.", shell_complete=completing.templates)
@click.option("--retrieval", multiple=True, help="Only these retrievals.")
@click.option("--case", multiple=True, help="Only these cases, by their ids.")
@click.option("--repeats", metavar="N", help="Generations per cell, for every case.")
@click.option("--db", metavar="PATH", help="The results database.")
@click.option("--report", metavar="DIR", help="The folder for the reports.")
@click.option("--open", "opens", is_flag=True, help="Open the report in a browser at the end.")
def benchmark(*, words: tuple[str, ...], opens: bool, **named: str | tuple[str, ...] | None) -> None:
    """Run SUITE, "standard" if none is named, as `pytest --gemma-suite SUITE` does.

    SUITE is a name of `gemma-eval suite list` or a path; several may be given. What chooses may be given
    again; models, profiles, templates and retrievals may be globs. All other words, after the suites, are
    pytest's:

    \b
        gemma-eval benchmark smoke --profile hot
        gemma-eval benchmark rag -k finn -x --lf -n 2
        gemma-eval benchmark smoke --gemma-ab git:origin/main
        gemma-eval benchmark smoke -- --profile of-another-plugin

    A terminal shows a panel of progress, unless -v or -s asks for lines. The exit codes are pytest's:

    \b
        0  all ran as demanded        3  an error within pytest
        1  a demand or gate missed    4  a mistake on the command line, in a suite
        2  interrupted, by Ctrl-C     5  nothing was chosen
           or by -x among workers
    """
    command = [sys.executable, "-m", "pytest", *arguments(words, named, opens=opens, seen=_is_seen())]
    # In the place of this process: signals, workers and exit codes are then what they are with pytest.
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell; the arguments are pytest's own


def arguments(
    words: Sequence[str], named: Mapping[str, str | tuple[str, ...] | None], *, opens: bool, seen: bool
) -> list[str]:
    """Return what pytest is given; `seen` is whether somebody looks at a terminal."""
    suites = list(takewhile(lambda word: not word.startswith("-"), words))
    rest = words[len(suites) :]
    if not suites and not any(word.startswith(_NAMING_SUITES) for word in rest):
        suites = [DEFAULT]
    cases = [f"::{case}" for case in named["case"] or ()] or [""]
    made = [f"--gemma-suite={suite}{case}" for suite in suites for case in cases]
    made += _translated(named)
    made += ["--gemma-open"] if opens else []
    made += ["--gemma-panel"] if seen else []
    return [*made, *rest]


def _refuse_late(words: Sequence[str]) -> None:
    """Raise UsageError where none but pytest's words have one where it would look for a file of tests."""
    found = next(
        (word for flag, word in pairwise(words) if flag in _FLAGS and not word.startswith("-")), None
    )
    if found is not None and words[0].startswith("-"):
        raise click.UsageError(
            f"a suite comes before pytest's options: gemma-eval benchmark {found} {words[0]}"
        )


def _translated(named: Mapping[str, str | tuple[str, ...] | None]) -> Iterator[str]:
    for name, given in named.items():
        if name != "case":
            values = given if isinstance(given, tuple) else [given] if given is not None else []
            yield from (f"--gemma-{name}={value}" for value in values)


def _is_seen() -> bool:
    return sys.stdout.isatty()
