import errno

import pytest

from papertables.base.errors import UserError
from papertables.base.scripting import failure, script


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


def test_the_reason_of_a_failure_is_told_once_more(tmp_path):
    log = str(tmp_path / "log")
    with pytest.raises(SystemExit), script(log):
        raise UserError("unknown thing: mend it")
    assert failure("train", log) == "train failed: unknown thing: mend it"


def test_a_job_that_left_no_reason(tmp_path):
    killed = tmp_path / "killed.log"
    killed.write_text("epoch 1\n")
    said = "train failed and left no reason, as when it is killed for want of memory: look above and at "
    assert failure("train", str(killed)) == said + str(killed)
    assert failure("train", "nowhere.log") == said + "nowhere.log"
