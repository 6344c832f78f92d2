"""How tests are shared out between processes."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file, or of the files of a group, share what is made for them, so they run in one process. Whole
    pipelines take longest and begin."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
    items.sort(key=lambda item: "workflow" not in item.module.__name__)
