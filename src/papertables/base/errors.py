"""Errors that a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches
from textwrap import shorten

from pydantic import ValidationError

MOST = 200  # characters of what a library says


class UserError(Exception):
    """One line that says what is wrong, where, and how to mend it. Shown without a traceback."""


def reason(error: Exception | str) -> str:
    """What is wrong, in one line that ends with a whole word; of a model's values the first problem, with the key where
    it is."""
    text = str(error)
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        text = (f"{key}: " if key else "") + problem["msg"].removeprefix("Value error, ")
    return shorten(text, MOST, placeholder=" …")


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """``unknown scale 'Paper' (did you mean 'paper'?): choose from mini, paper``."""
    names = [str(each) for each in known]
    return f"unknown {kind} '{name}'{did_you_mean(name, names)}: choose from {', '.join(names)}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`` (did you mean 'paper'?)``: the nearest of the known names, whatever its case; empty where none is known."""
    names = {each.lower(): each for each in known}
    close = get_close_matches(str(name).lower(), names, n=1, cutoff=0)
    return f" (did you mean '{names[close[0]]}'?)" if close else ""
