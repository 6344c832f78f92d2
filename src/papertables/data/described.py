"""What is said of any data set, whoever has it."""

from typing import Annotated

from pydantic import Field, field_validator

from papertables.specs.spec import Model


class Described(Model):
    """label: the name that tables print. task: the words for [task] in the prompts for attributes. template: of AttrVR;
    clip_template: of CLIP's zero-shot classifier in the prompt-learning papers. notes: where the facts come from and
    what is not known."""

    id: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    label: Annotated[str, Field(min_length=1)]
    licence: str
    homepage: str | None = None
    task: str
    template: str = "This is a photo of {}."
    clip_template: str
    notes: str = ""

    @field_validator("template", "clip_template")
    @classmethod
    def _has_a_place_for_the_class(cls, value: str) -> str:
        if value.count("{}") != 1:
            raise ValueError("it must have one {}, where the name of the class comes")
        return value
