from tests.faults.table import PAGE, page


def test_the_document_has_what_is_tried():
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m tests.faults"
