"""What an error says in its one line."""

import pytest
from pydantic import BaseModel, ValidationError

from papertables.base.errors import reason


class Number(BaseModel):
    value: int


def test_a_reason_is_one_line_that_ends_with_a_whole_word():
    assert reason(ValueError("it is\n  not  there")) == "it is not there"
    told = reason("word " * 100)
    assert len(told) <= 200 and told.endswith("word …")


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"value": "x" }', "value: Input should be a valid integer"), ('{"value": ', "Invalid JSON: EOF while parsing")],
)
def test_of_values_the_first_problem_is_told_without_the_input(text, says):
    with pytest.raises(ValidationError) as error:
        Number.model_validate_json(text)
    assert reason(error.value).startswith(says)
    assert "input_value" not in reason(error.value)
