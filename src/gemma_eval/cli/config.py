"""`gemma-eval config`: what is chosen once for all commands, where, and whether it can be read."""

from __future__ import annotations

import click

from gemma_eval.cli.config_checked import migrate, validate
from gemma_eval.cli.config_restore import restore
from gemma_eval.cli.config_set import set_, unset
from gemma_eval.cli.config_shown import path, show


@click.group(short_help="Show, set and check settings, and where they come from.")
def config() -> None:
    """Show, set and check settings, and where they come from.

    \b
        gemma-eval config show --origin
        gemma-eval config set chat.model pocket

    Settings are read from settings.yaml of the user, then of the project (.gemma-eval/), then from variables
    GEMMA_EVAL_*; the later wins, and an option of a command over all of them.
    """


for _command in (show, path, set_, unset, validate, migrate, restore):
    config.add_command(_command)
