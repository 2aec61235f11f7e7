"""Errors are promised by code, so tests ask for the code."""

from contextlib import contextmanager

import pytest

from copilot.errors import CopilotError, StorageError


@contextmanager
def refused(code: str, kind: type[CopilotError] = StorageError):
    """The block raises ``kind`` with exactly this code."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code
