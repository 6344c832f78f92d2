"""How tests are shared out between processes."""

import pytest

LONGEST = ("test_make", "test_slurm")  # a world with every artefact, a night that is mostly waiting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines take longest and begin, the longest of all first."""
    items.sort(key=lambda item: (not item.module.__name__.endswith(LONGEST), "workflow" not in item.module.__name__))
