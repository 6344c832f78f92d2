"""What a stored answer says: its choices, why one does not do, what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from papertables.attributes.asking.language import is_english
from papertables.attributes.cleaning import TOO_SHORT, apologises, tidy
from papertables.attributes.sampling import MIN_CHARACTERS
from papertables.specs.language_models import LanguageModel


@dataclass(frozen=True)
class Choice:
    """One of the answers to a prompt. ended: why it ends there, as the server says; None where a stream was cut."""

    text: str
    ended: str | None
    refused: bool = False


def is_whole(body: JsonValue) -> bool:
    """Whether it is an answer at all, and not something else or the beginning of a stream."""
    try:
        return bool(choices_of(body)) and all(choice.ended for choice in choices_of(body))
    except (KeyError, TypeError, AttributeError):
        return False


def choices_of(body: JsonValue) -> list[Choice]:
    """Of a chat or a completion, or of the parts of a stream."""
    if isinstance(body, list):
        return _streamed(body)
    return [_choice(each, each.get("message") or each) for each in body["choices"]]


def _choice(given: Mapping, said: Mapping) -> Choice:
    text, ended = said.get("content", said.get("text")) or "", given.get("finish_reason")
    return Choice(text, ended, bool(said.get("refusal")) or ended == "content_filter")


def _streamed(parts: list[Mapping]) -> list[Choice]:
    texts: dict[int, str] = {}
    ends: dict[int, str | None] = {}
    refusals: dict[int, bool] = {}
    for choice in (choice for part in parts for choice in part.get("choices") or ()):
        place, said = choice.get("index", 0), choice.get("delta") or choice
        texts[place] = texts.get(place, "") + (said.get("content", said.get("text")) or "")
        ends[place] = choice.get("finish_reason") or ends.get(place)
        refusals[place] = refusals.get(place, False) or bool(said.get("refusal"))
    return [Choice(texts[i], ends[i], refusals[i] or ends[i] == "content_filter") for i in sorted(texts)]


def usage_of(body: JsonValue) -> tuple[int, int] | None:
    """Tokens in and out, as the server counted them."""
    for part in reversed(body) if isinstance(body, list) else [body]:
        usage = part.get("usage")
        if usage:
            return usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return None


def model_of(body: JsonValue) -> str | None:
    """As the server names it."""
    return (body[0] if isinstance(body, list) else body).get("model")


def trouble(choice: Choice, source: LanguageModel, shortest: int = MIN_CHARACTERS) -> str | None:
    """Why an answer is asked for again; None where it does."""
    text = tidy(choice.text)
    if choice.refused or apologises(text):
        return "refusals"
    if choice.ended == "length":
        return "cut by the length limit"
    if not text:
        return "empty"
    if source.language and not is_english(text):
        return "in another language"
    return TOO_SHORT if len(text) < shortest else None
