import pytest

from papertables.base.code import code_digest, defines, source_files
from papertables.base.errors import UserError

CODE = '''
def f(x):
    """Says what."""
    return x + 1
'''


def digest(tmp_path, text):
    (tmp_path / "code.py").write_text(text)
    return code_digest([tmp_path / "code.py"])


def test_comments_docstrings_and_formatting_change_nothing(tmp_path):
    same = '"""Module."""\n# why\ndef f( x ):\n    "Otherwise."\n    return (x\n            + 1)\n'
    assert digest(tmp_path, CODE) == digest(tmp_path, same)


def test_code_changes_it(tmp_path):
    assert digest(tmp_path, CODE) != digest(tmp_path, CODE.replace("+ 1", "+ 2"))


def test_every_python_gives_the_same_digest(tmp_path):
    """Python 3.12 and 3.13 tell more, and less, of a function and of a class than 3.11 does."""
    code = "class A:\n    def f(self, *x: int, y=None) -> None:\n        return f'{x!r:>9} and {y}'\n"
    assert digest(tmp_path, code).startswith("4d8195f6")


def names(module, *rooms):
    return {path.stem for path in source_files(module, rooms)}


def test_imports_are_followed_within_rooms():
    found = names("papertables.methods.vp", "papertables.methods")
    assert {"vp", "heads", "pixels", "inputs", "learner"} <= found
    assert not found & {"prompts", "ar", "catalog"}  # of another room, or not imported
    assert names("papertables.methods.vp") == {"vp"}


def test_a_search_follows_what_draws_its_first_weights():
    assert {"search", "layout", "seeding"} <= names("papertables.training.search", "papertables.methods")


def test_a_package_is_no_file_and_an_unknown_module_none():
    assert names("papertables.methods", "papertables.methods") == set()
    assert names("papertables.nothing", "papertables") == set()
    assert names("json", "json") == set()


def test_what_a_module_defines_is_told_without_importing_it(tmp_path):
    file = tmp_path / "code.py"
    file.write_text("import nothing\nfrom nowhere import a as b\nc = 1\n\nclass D:\n    e = 2\n")
    assert [name for name in "abcDe" if defines(file, name)] == ["b", "c", "D"]


def test_what_is_no_python_is_told_with_its_line(tmp_path):
    with pytest.raises(UserError, match=r"code.py: not valid Python \(line 2: '\(' was never closed\): mend that line"):
        digest(tmp_path, "x = 1\ny = (\n")
