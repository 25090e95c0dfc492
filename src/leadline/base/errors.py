"""Errors are for the person who meets them: what happened (with the value), where, and what to try."""

from __future__ import annotations


class LeadlineError(Exception):
    """Something the user can read and act on; printed as at most six lines, never as a traceback.

    code: an entry of `leadline.base.codes`, such as "LL017". where: file, key or row. help: what to try, with a command.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, *, where: str | None = None, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.help = help

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.message}"]
        if self.where:
            lines.append(f"   where: {self.where}")
        if self.help:
            lines.append(f"   help:  {self.help}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, str | None]:
        """The same error as plain JSON fields."""
        return {"code": self.code, "message": self.message, "where": self.where, "help": self.help}

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only fields would be lost when a data worker process sends the error home.
        return (_rebuild, (type(self), self.code, self.message, self.where, self.help))


def _rebuild(kind: type[LeadlineError], code: str, message: str, where: str | None, help: str | None) -> LeadlineError:
    return kind(code, message, where=where, help=help)


class InputError(LeadlineError):
    """The user's input is wrong: exit 2, nothing lost and nothing half-written."""

    exit_code = 2


class Blocked(LeadlineError):
    """A check found a problem that makes training pointless: exit 3."""

    exit_code = 3


class Stopped(LeadlineError):
    """A signal stopped the run, its state is saved and `leadline resume` goes on: exit 75."""

    exit_code = 75
