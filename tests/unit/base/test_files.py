"""Text is read and written as UTF-8, whatever the locale of the machine."""

import ast
import codecs
from pathlib import Path

import pytest

from papertables.base.errors import UserError
from papertables.base.files import read_json, read_text, read_yaml

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("workflow/scripts/*.py"), *ROOT.glob("docs/*.py")])
ENCODING_AT = {"read_text": 0, "write_text": 1}  # its place among the arguments


def by_locale(call: ast.Call) -> bool:
    """Whether a call would read or write text in the encoding of the machine."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {each.arg for each in call.keywords}
    if "encoding" in given or name not in (*ENCODING_AT, "open", "run", "check_output", "Popen"):
        return False
    if name in ("run", "check_output", "Popen"):
        return bool({"text", "universal_newlines"} & given)
    if name == "open":
        modes = [
            each.value for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        opens_images = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("Image", "tarfile")
        return not opens_images and not any("b" in mode for mode in modes)
    if isinstance(call.func, ast.Name):  # this project's own, which takes UTF-8 alone
        return False
    return len(call.args) <= ENCODING_AT[name]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_is_read_or_written_by_the_locale(source):
    calls = [node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert [f"{source.name}:{call.lineno}" for call in calls if by_locale(call)] == []


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(codecs.BOM_UTF8 + '{"é": 1}'.encode())
    assert read_text(path) == '{"é": 1}'
    assert read_json(path) == read_yaml(path) == {"é": 1}


@pytest.mark.parametrize(
    ("encoding", "says"), [("latin-1", "byte 0xe9 in line 2"), ("utf-16", "it begins as UTF-16 does")]
)
def test_another_encoding_is_told_with_its_place(tmp_path, encoding, says):
    path = tmp_path / "a.yaml"
    path.write_bytes("a: 1\nb: café\n".encode(encoding))
    with pytest.raises(UserError) as error:
        read_yaml(path)
    assert str(error.value) == f"{path}: not UTF-8 ({says}): save it as UTF-8"
