"""Whether there is a proxy to test with."""

import os

import pytest

from tests.live import install

REQUIRED = os.environ.get("TRACELIB_LIVE_TESTS") == "required"


@pytest.fixture(scope="session")
def installed() -> None:
    """LiteLLM's proxy is installed; the test is skipped where it is not and need not be."""
    if REQUIRED:
        install.install()
    elif not install.is_installed():
        pytest.skip("No LiteLLM proxy is installed: python -m tests.live.install does it.")
