"""The front door: finds the file of the verb, runs it, and lets every error out in one form."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from leadline import __version__
from leadline.base.errors import InputError, LeadlineError
from leadline.base.find import module, names
from leadline.base.nearest import did_you_mean
from leadline.cli import refusal
from leadline.cli.verb import GROUPS, Verb

# Threads of torch that wait for each other spin by default, and on a machine that others use too one step then takes four to seven times
# as long (measured with two threads on two busy cores). After this many rounds, some microseconds, they sleep. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

WITH_VALUE = ("--out", "--seed", "--device", "--format")
ORDER = ("demo", "look", "new", "check", "train", "resume", "doctor", "evaluate", "predict", "compare", "report", "card")


class Verbs(click.Group):
    """The verbs: one file each in `cli/commands/`, imported when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which one meets them."""
        found = names("cli.commands")
        return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> Verb | None:
        """The verb's command, or None when there is no such file."""
        return module(f"leadline.cli.commands.{cmd_name}").command if cmd_name in names("cli.commands") else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click does it, but a word that is no verb is answered in our form."""
        if args[0] not in names("cli.commands"):
            raise _no_verb(args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs under the headings of their groups."""
        commands = [command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        width = max(len(str(command.name)) for command in commands)
        for group in GROUPS:
            rows = [(f"{command.name:<{width}}", command.get_short_help_str(90)) for command in commands if command.group == group]
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows)


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    options_metavar="",
    subcommand_metavar="VERB [TARGET] [KEY=VALUE]... [--FLAGS]",
    epilog="Recipe fields are key=value (epochs=5 model=resnet_small data.split.by=patient), flags are for behaviour: "
    "--out DIR  --seed N  --device cpu|cuda|mps  --format human|json|quiet  --debug.  "
    "leadline VERB --help  tells about one verb;  leadline demo  shows them all at work.",
)
@click.version_option(__version__, message="leadline %(version)s")
@click.pass_context
def leadline(context: click.Context) -> None:
    """Deep learning you can see to the bottom of: from your data to a trained, checked and reported network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(words: list[str] | None = None) -> int:
    """Run the command line and give the exit code; `words` without the program's name."""
    words = _flags_behind_verb(list(sys.argv[1:] if words is None else words))
    json, debug = _wants_json(words), "--debug" in words
    try:
        return _run(words)
    except KeyboardInterrupt:
        click.echo("stopped by Ctrl-C", err=True)
        return 130
    except BrokenPipeError:
        return refusal.quiet_pipe()
    except Exception as error:  # noqa: BLE001  the last resort: whatever it is, the user gets one readable line
        if debug:
            refusal.show_traceback()
        return _refused(error, json=json)


def _run(words: list[str]) -> int:
    code = leadline.main(words, prog_name="leadline", standalone_mode=False)
    sys.stdout.flush()  # a broken pipe is noticed here, not at the interpreter's end
    return code if isinstance(code, int) else 0


def _refused(error: Exception, *, json: bool) -> int:
    if isinstance(error, click.Abort):
        return 130
    if isinstance(error, click.ClickException):
        return refusal.refuse(refusal.from_click(error), json=json)
    known = refusal.from_system(error) if isinstance(error, OSError) else error
    return refusal.refuse(known, json=json) if isinstance(known, LeadlineError) else refusal.unexpected(error, json=json)


def _flags_behind_verb(words: list[str]) -> list[str]:
    """Common flags may stand before the verb too: bring them behind it."""
    end = 0
    while end < len(words) and words[end].split("=")[0] in (*WITH_VALUE, "--debug"):
        end += 2 if words[end] in WITH_VALUE else 1
    return [*words[end : end + 1], *words[:end], *words[end + 1 :]] if end < len(words) else words


def _wants_json(words: list[str]) -> bool:
    return "--format=json" in words or any(pair == ("--format", "json") for pair in pairwise(words))


def _no_verb(word: str, verbs: list[str]) -> InputError:
    hint = f"leadline train {word}" if Path(word).exists() else did_you_mean(word, verbs, else_say="leadline --help  shows the verbs")
    return InputError("LL035", f"there is no verb '{word}'", where="command line", help=hint)
