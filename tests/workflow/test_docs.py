"""What the documents draw is what there is."""

import sys

from tests.workflow.conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))

from draw_flow import BLOCK, PAGE, flow


def test_the_drawn_flow_is_that_of_the_rules():
    assert BLOCK.search(PAGE.read_text("utf-8"))[0] == flow(), "draw it anew: python docs/draw_flow.py"
