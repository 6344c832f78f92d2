"""Errors that a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """One line that says what is wrong, where, and how to mend it. Shown without a traceback."""


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """``unknown scale 'Paper' (did you mean 'paper'?): choose from mini, paper``."""
    names = [str(each) for each in known]
    return f"unknown {kind} '{name}'{did_you_mean(name, names)}: choose from {', '.join(names)}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`` (did you mean 'paper'?)``: the nearest of the known names, whatever its case; empty where none is known."""
    names = {each.lower(): each for each in known}
    close = get_close_matches(str(name).lower(), names, n=1, cutoff=0)
    return f" (did you mean '{names[close[0]]}'?)" if close else ""
