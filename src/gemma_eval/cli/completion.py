"""`gemma-eval completion SHELL`: prints what makes a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from gemma_eval.errors import UnknownName

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_GEMMA_EVAL_COMPLETE"
_INSTALL = {
    "bash": 'eval "$(gemma-eval completion bash)"          # in ~/.bashrc',
    "zsh": 'eval "$(gemma-eval completion zsh)"           # in ~/.zshrc, after compinit',
    "fish": "gemma-eval completion fish | source           # in ~/.config/fish/config.fish",
}


@click.command(short_help="Print what makes a shell complete names.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print the script that has SHELL complete commands, options, suites, models, profiles and runs.

    \b
        eval "$(gemma-eval completion bash)"          # in ~/.bashrc
        eval "$(gemma-eval completion zsh)"           # in ~/.zshrc
        gemma-eval completion fish | source           # in config.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise UnknownName("shell", shell, SHELLS)
    script = found(ctx.find_root().command, {}, "gemma-eval", VARIABLE).source()
    click.echo(f"{script.rstrip()}\n\n# To have it in every shell:\n#     {_INSTALL[shell]}")
