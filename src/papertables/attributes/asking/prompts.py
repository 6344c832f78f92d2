"""What a language model is asked, and what of a request decides its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from papertables.specs.language_models import Kind, LanguageModel, Parameters
from papertables.specs.spec import digest

VOWELS = "aeiou"
CHARACTERS_PER_TOKEN = 4  # of English text, about


@dataclass(frozen=True)
class Picture:
    """digest: of the file that it was made from, and of its side. data: as JPEG."""

    digest: str
    data: bytes


@dataclass(frozen=True)
class Request:
    """turns: what the user and the model said in turn, ending with the user. number: how many requests of the same
    prompt came before it; the seed counts on with it."""

    source: LanguageModel
    turns: tuple[str, ...]
    parameters: Parameters
    number: int = 0
    images: tuple[Picture, ...] = ()

    @property
    def seed(self) -> int | None:
        return None if self.source.seed is None else self.source.seed + self.number

    @property
    def content(self) -> dict[str, JsonValue]:
        """All that decides the answer."""
        return {
            "interface": self.source.interface,
            "model": self.source.model,
            "system": self.source.prompts.system,
            "turns": list(self.turns),
            "parameters": self.parameters.model_dump(mode="json"),
            "seed": self.seed,
            "number": self.number,
            "images": [image.digest for image in self.images],
        }

    @property
    def name(self) -> str:
        """Of the file that keeps its answer."""
        return digest(self.content, digits=32)

    @property
    def most_tokens(self) -> int:
        """About how many it can cost."""
        given = sum(map(len, self.turns)) // CHARACTERS_PER_TOKEN + 1
        return given + self.parameters.n * (self.parameters.max_tokens or 0)


def describing(source: LanguageModel, kind: Kind, task: str, name: str) -> str:
    """AttrVR's prompt for a class: full stops are removed from its name, the article follows its first letter."""
    plain = name.replace(".", "").replace("_", " ")
    article = "an" if plain[:1].lower() in VOWELS else "a"
    return getattr(source.prompts, kind).format(**{"task": task, "class": plain, "a": article})


def listing(source: LanguageModel, task: str, names: Sequence[str]) -> str:
    """ATPrompt's first step. Of many classes some are named, evenly spaced."""
    most = source.listed_classes
    shown = names if len(names) <= most else [names[i * len(names) // most] for i in range(most)]
    return source.prompts.classes.format(task=task, classes=", ".join(name.replace("_", " ") for name in shown))
