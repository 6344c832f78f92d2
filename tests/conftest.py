"""How tests are shared out between processes."""

import pytest

LONGEST = "test_make"  # a world with every artefact


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines take longest and begin, the longest of all first."""
    items.sort(key=lambda item: (LONGEST not in item.module.__name__, "workflow" not in item.module.__name__))
