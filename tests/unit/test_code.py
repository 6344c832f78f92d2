from papertables.code import code_digest

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
