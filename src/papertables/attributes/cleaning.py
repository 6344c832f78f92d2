"""What is kept of answers as sentences, and what published files hold by mistake."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from papertables.attributes.sampling import MIN_CHARACTERS

APOLOGY = re.compile(
    r"^\W*(i['’]?m sorry|i am sorry|sorry\b|i apologi[sz]e|my apologies|unfortunately, i\b|as an ai\b|"
    r"i (can ?not|can['’]t|could not|am unable|am not able|do not have|don['’]t have)\b|i['’]m (unable|not able))",
    re.IGNORECASE,
)
TOO_SHORT = f"under {MIN_CHARACTERS} characters"


def tidy(answer: str) -> str:
    """One line with a full stop at its end, as AttrVR's files have them: blank lines are removed; a model that stopped
    at the full stop did not write it. Empty where nothing was said."""
    text = " ".join(line.strip() for line in answer.splitlines() if line.strip())
    return text + "." if text and text[-1] not in ".!?" else text


def apologises(text: str) -> bool:
    return APOLOGY.match(text) is not None


def starts_in_the_middle(text: str) -> bool:
    """Whether it goes on with something: small letters or signs that begin no sentence."""
    return not re.match(r"[A-Z0-9\"'“‘(]", text)


def names(text: str, name: str) -> bool:
    """Whether it holds the name of a class, as whole words, in either number."""
    words = re.escape(name.replace("_", " ").lower())
    return re.search(rf"\b{words}(e?s)?\b", text.replace("_", " ").lower()) is not None


def names_another(text: str, name: str, others: Iterable[str]) -> bool:
    """Whether it holds the name of another class that is no part of its own."""
    return any(names(text, other) for other in others if other != name and not names(name, other))


def cleaned(answers: Mapping[str, Sequence[str]], how: str) -> tuple[dict[str, list[str]], dict[str, Counter[str]]]:
    """By class the sentences that are kept, and why how many were not.

    ``published``: as AttrVR, those of at least 20 characters. ``strict``: without those that start in the middle,
    apologise, name another class or stand there already.
    """
    kept: dict[str, list[str]] = {}
    dropped: dict[str, Counter[str]] = {}
    for name, texts in answers.items():
        seen: set[str] = set()
        kept[name], dropped[name] = [], Counter()
        for text in map(tidy, texts):
            reason = _why(text, name, answers, seen) if how == "strict" or len(text) < MIN_CHARACTERS else None
            if reason:
                dropped[name][reason] += 1
            else:
                kept[name].append(text)
            seen.add(text.lower())
    return kept, dropped


def _why(text: str, name: str, others: Iterable[str], seen: set[str]) -> str | None:
    """Why a sentence is not kept, the first reason; None where it is."""
    reasons: dict[str, Callable[[], bool]] = {
        TOO_SHORT: lambda: len(text) < MIN_CHARACTERS,
        "apologies": lambda: apologises(text),
        "starts in the middle": lambda: starts_in_the_middle(text),
        "another class's name": lambda: names_another(text, name, others),
        "twice": lambda: text.lower() in seen,
    }
    return next((reason for reason, holds in reasons.items() if holds()), None)
