import errno

import pytest

from papertables.errors import UserError
from papertables.scripting import script


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UserError("unknown thing: mend it"), "error: unknown thing: mend it\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "error: the disk is full"),
        (ValueError("two\nlines"), "error: ValueError: two lines (details in "),
    ],
)
def test_an_error_is_one_line_on_the_terminal(tmp_path, capsys, error, says):
    with pytest.raises(SystemExit) as stop, script(str(tmp_path / "log")):
        print("at work")
        raise error
    shown = capsys.readouterr()
    assert stop.value.code == 1
    assert shown.out == ""
    assert shown.err.startswith(says)
    assert shown.err.count("\n") == 1
    log = (tmp_path / "log").read_text()
    assert log.startswith("at work\n")
    assert ("Traceback" in log) == (not isinstance(error, UserError))


def test_output_goes_to_the_log(tmp_path, capsys):
    with script(str(tmp_path / "log")):
        print("at work")
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "log").read_text() == "at work\n"
