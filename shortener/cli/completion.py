"""``shortener completion``: print the script with which a shell completes commands and options."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from shortener.cli.groups import Command

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    cls=Command,
    examples=(
        'eval "$(shortener completion bash)"',
        "shortener completion fish > ~/.config/fish/completions/shortener.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell.

    For bash, put `eval "$(shortener completion bash)"` into ~/.bashrc. For zsh, put
    `eval "$(shortener completion zsh)"` into ~/.zshrc. For fish, write the script to
    ~/.config/fish/completions/shortener.fish.
    """
    complete = SHELLS[shell](ctx.find_root().command, {}, "shortener", "_SHORTENER_COMPLETE")
    click.echo(complete.source(), nl=False)


COMMANDS = [completion]
