"""How tests are shared out between processes."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines take longest and begin."""
    items.sort(key=lambda item: "workflow" not in item.module.__name__)
