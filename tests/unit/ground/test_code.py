from papertables.code import code_digest, source_files

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
