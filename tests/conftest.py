"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"


@pytest.fixture(scope="session")
def shared_captures() -> Path:
    """The folder of real captures that lies beside the repository."""
    if not SHARED_CAPTURES.is_dir():
        pytest.skip("the shared captures (../shared/captures) are not here")
    return SHARED_CAPTURES
