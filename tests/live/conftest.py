"""Whether there is a proxy to test with."""

import os
from typing import NoReturn

import pytest

from tests.live import clock, install

pytest.register_assert_rewrite("tests.live.said")
REQUIRED = os.environ.get("TRACELIB_LIVE_TESTS") == "required"


@pytest.fixture(scope="session")
def installed() -> None:
    """LiteLLM's proxy is installed; the test is skipped where it is not and need not be."""
    if REQUIRED:
        install.install()
    elif not install.is_installed():
        _missing("No LiteLLM proxy is installed: python -m tests.live.install does it.")


@pytest.fixture(scope="session")
def settable_clock() -> None:
    """There is what sets the clock of a program."""
    if clock.LIBRARY is None:
        _missing("There is no libfaketime; install the package faketime.")


def _missing(words: str) -> NoReturn:
    if REQUIRED:
        pytest.fail(words)
    pytest.skip(words)
