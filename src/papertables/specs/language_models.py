"""A language model that is asked for attributes: where it answers, what it is asked, and up to which limits."""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from papertables.base.errors import unknown
from papertables.specs.spec import Model, NotNegative, Whole, no_switch

Kind = Literal["des", "dist"]  # descriptive and distinctive sentences
BASES = 5  # as many as ATPrompt has
OPENAI = "https://api.openai.com/v1"
PLACES = {  # in the prompts, by name: what may stand in braces
    "des": ("task", "class", "a"),
    "dist": ("task", "class", "a"),
    "classes": ("task", "classes"),
    "bases": ("task",),
    "again": ("task", "reason"),
}
HOW = (  # what decides how, but not what is answered
    *("id", "title", "base_url", "key_variable", "stream", "concurrency", "timeout", "retries"),
    *("max_requests", "max_tokens", "max_cost", "price"),
)


class Parameters(Model):
    """What a server is told beside the prompt; None is not sent. n: answers to one prompt."""

    n: Whole = 1
    temperature: NotNegative | None = None
    max_tokens: Whole | None = None
    stop: tuple[str, ...] = ()
    extra: dict[str, JsonValue] = Field({}, description="further keys of the request's body")


class Prompts(Model):
    """In braces: task, class (without full stops), a (its article), classes, and the reason why an answer does not do.

    des, dist: AttrVR's. classes, bases, again: ATPrompt's two steps, and what is said where five nouns are none.
    """

    system: str | None = None
    des: str = "Describe the appearance of the {task} {class}"
    dist: str = "Describe the unique appearance of {a} {class} from the other {task}"
    classes: str = (
        "These are classes of images, each of one {task}: {classes}. Describe in one short sentence for each what an "
        "image of it shows."
    )
    bases: str = (
        "Now name five attributes that together tell such classes apart: five different nouns, each a single common "
        "word, independent of each other, and none of them part of a class's name. Answer with the five words alone, "
        "separated by commas."
    )
    again: str = "That does not do: {reason}. Answer with five other single words alone, separated by commas."

    @model_validator(mode="after")
    def _braces_are_known(self):
        for prompt, known in PLACES.items():
            try:
                named = [name for _, name, _, _ in Formatter().parse(getattr(self, prompt)) if name is not None]
            except ValueError as error:
                raise ValueError(f"prompts.{prompt}: {error}: write {{{{ and }}}} for braces of its own") from None
            for name in named:
                if name not in known:
                    raise ValueError(f"prompts.{prompt}: {unknown('name in braces', name, known)}")
        return self


class Shown(Model):
    """Images that go with a prompt: of each class at most ``per_class`` of the training part, drawn from the seed, the
    longer side at most ``side`` pixels."""

    per_class: Whole = 3
    side: Whole = 512


class Price(Model):
    """Per million tokens, in one currency."""

    input: NotNegative
    output: NotNegative


class LanguageModel(Model):
    """src/papertables/attributes/llms/<source>.yaml.

    seed: of the first request for a class, the next count on; None sends none. attempts: how often what is missing is
    asked for again. at_least: sentences of each class, or there is no file. retries: of one request, where the server
    is busy or broken. max_requests, max_tokens, max_cost: of the source in all, whatever was asked before included.
    """

    id: Annotated[str, Field(pattern="^[a-z0-9_-]+$")]
    title: Annotated[str, Field(min_length=1)]
    model: str | None = None
    base_url: str = OPENAI
    key_variable: str = Field("OPENAI_API_KEY", description="the environment variable that holds the key")
    interface: Literal["chat", "completions"] = "chat"
    stream: bool = False
    seed: Annotated[int, BeforeValidator(no_switch)] | None = 0
    sentences: Parameters = Parameters(n=25, temperature=0.99, max_tokens=50, stop=(".",))
    bases: Parameters = Parameters(temperature=0.0, max_tokens=2000)
    prompts: Prompts = Prompts()
    images: Shown | None = None
    listed_classes: Whole = Field(100, description="at most as many are named where bases are asked for")
    language: Literal["English"] | None = Field("English", description="null: answers in any language do")
    cleaning: Literal["published", "strict"] = "published"
    attempts: Annotated[int, BeforeValidator(no_switch), Field(ge=0)] = 3
    at_least: Whole = 20
    concurrency: Whole = 4
    timeout: Annotated[float, BeforeValidator(no_switch), Field(gt=0)] = 120.0  # seconds without an answer
    retries: Annotated[int, BeforeValidator(no_switch), Field(ge=0)] = 5
    max_requests: Whole | None = None
    max_tokens: Whole | None = None
    max_cost: NotNegative | None = None
    price: Price | None = None

    @field_validator("sentences", "bases", "prompts", mode="before")
    @classmethod
    def _over_the_defaults(cls, value: object, info) -> object:
        """What a file says of these leaves the rest as it is."""
        default = cls.model_fields[info.field_name].default
        return default.model_dump() | value if isinstance(value, Mapping) else value

    @model_validator(mode="before")
    @classmethod
    def _names_no_secret(cls, values: object) -> object:
        """Without the value in the message, as another kind of check would print it."""
        if not isinstance(values, Mapping):
            return values
        variable = values.get("key_variable", "OPENAI_API_KEY")
        if not (isinstance(variable, str) and re.fullmatch("[A-Z_][A-Z0-9_]*", variable)):
            raise ValueError("key_variable: name the environment variable that holds the key, never the key itself")
        url = urlsplit(values["base_url"]) if isinstance(values.get("base_url"), str) else urlsplit(OPENAI)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("base_url: write an address such as http://localhost:8000/v1")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError(
                "base_url: an address without user, password or query: the key is taken from the environment alone"
            )
        return values

    @model_validator(mode="after")
    def _can_be_asked(self):
        if self.images and self.interface != "chat":
            raise ValueError("images go with interface chat alone: leave them out")
        if self.max_cost is not None and self.price is None:
            raise ValueError("max_cost needs price: {input: …, output: …}, per million tokens")
        if self.at_least > self.sentences.n:
            raise ValueError(f"at_least is {self.at_least}, but sentences.n is {self.sentences.n}: ask for more")
        return self

    @property
    def asked(self) -> dict[str, JsonValue]:
        """All that decides what is answered and what is made of it."""
        return self.model_dump(mode="json", exclude=set(HOW))

    @property
    def said(self) -> str:
        """``own: a chat model (llama3)``"""
        return f"{self.id}: {self.title}" + (f" ({self.model})" if self.model else "")

    @property
    def place(self) -> str:
        """Where it is changed."""
        return f"src/papertables/attributes/llms/{self.id}.yaml or with --config llm='{{…}}'"

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """None where no price is declared."""
        return self.price and (tokens_in * self.price.input + tokens_out * self.price.output) / 1e6
