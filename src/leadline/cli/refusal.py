"""Refusals: every error leaves the program in one form, at most six lines, with the exit code of its kind."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from leadline.base.errors import InputError, LeadlineError
from leadline.base.nearest import nearest
from leadline.cli.screen import as_json

LINE = 400  # characters of one line of an error; a longer value says nothing more


def refuse(error: LeadlineError, *, json: bool) -> int:
    """Print the error (to stderr, or as a JSON object to stdout) and give its exit code."""
    if json:
        click.echo(as_json({"error": error.to_dict()}))
    else:
        click.echo(_painted(_fitted(str(error))), err=True)
    return error.exit_code


def unexpected(error: Exception, *, json: bool) -> int:
    """An error that leadline did not foresee: one line, and how to see more."""
    import re

    kind = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()
    again = "the same command with  --debug  shows where; please report it"
    return refuse(LeadlineError("LL000", f"leadline itself failed: {kind[:LINE]}", help=again), json=json)


def from_system(error: OSError) -> LeadlineError | None:
    """A full disk or a folder that cannot be written, met outside the code that expects it."""
    where = str(error.filename) if error.filename else None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LeadlineError("LL008", "the disk is full", where=where, help="make room, or choose another place with  --out DIR")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError("LL007", f"no permission: {error.strerror}", where=where, help="choose another place with  --out DIR")
    return None


def from_click(error: click.ClickException) -> InputError:
    """Click's own complaint in our form, with the nearest option."""
    context = getattr(error, "ctx", None)
    verb = context.info_name if context is not None and context.parent is not None else None
    command = f"leadline {verb}" if verb else "leadline"
    message = error.format_message().rstrip(".")
    hint = f"{command} --help"
    if isinstance(error, click.NoSuchOption):
        message = f"{command} has no option {error.option_name}"
        hint = _option_hint(error, context) or hint
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        message = f"{command} needs {error.param.make_metavar(context) if context else error.param.name}"
    return InputError("LL035", message[0].lower() + message[1:], where="command line", help=hint)


def quiet_pipe() -> int:
    """The reader went away (`leadline list | head`): nothing more to say, and nothing to flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13  # what a shell shows for SIGPIPE


def show_traceback() -> None:
    """For --debug."""
    traceback.print_exc()


def _option_hint(error: click.NoSuchOption, context: click.Context | None) -> str | None:
    from leadline import recipe

    options = [] if context is None else [name for param in context.command.params for name in param.opts if name.startswith("--")]
    key = error.option_name.lstrip("-").replace("-", "_")
    if key in recipe.SHORT_KEYS:
        return f"recipe fields have no dashes:  {key}=VALUE"
    close = nearest(error.option_name, options)
    return f"did you mean  {close}  ?" if close else None


def _fitted(text: str) -> str:
    """At most six lines, however long the names in the message are; a message's own line breaks become spaces."""
    lines = [line if len(line) <= LINE else f"{line[: LINE - 1]}…" for line in text.splitlines()]
    return "\n".join(lines if len(lines) <= 6 else [*lines[:5], f"   … {len(lines) - 5} more lines"])


def _painted(text: str) -> str:
    head, colon, rest = text.partition(":")
    return click.style(head, fg="red", bold=True) + colon + rest if "NO_COLOR" not in os.environ else text
