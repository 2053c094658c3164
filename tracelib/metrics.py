"""What this process does, counted for whoever watches it: never whose, never what was found."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from tracelib.errors import TraceError

CONTENT_TYPE = CONTENT_TYPE_LATEST
# When each was first counted is of no interest, and doubles the lines.
disable_created_metrics()  # type: ignore[no-untyped-call]
# Its own, so that two of them in a process do not meet.
REGISTRY = CollectorRegistry()
QUESTIONS = Counter(
    "tracelib_questions",
    "Questions that pages and programs asked",
    ["question"],
    registry=REGISTRY,
)
CACHE_HITS = Counter(
    "tracelib_cache_hits",
    "Those of them that somebody had asked at the same tick",
    ["question"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "tracelib_question_seconds",
    "How long the others took",
    ["question"],
    registry=REGISTRY,
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DATABASE_ERRORS = Counter(
    "tracelib_database_errors", "Questions without an answer", ["error"], registry=REGISTRY
)
LAST_GOOD_AGE = Gauge(
    "tracelib_last_good_answer_age_seconds",
    "How long ago the database gave an answer; NaN before its first",
    registry=REGISTRY,
)


@dataclass
class Asking:
    """One question on its way: whether it came to the database."""

    question: str
    is_worked_out: bool = False

    def worked_out(self, seconds: float, error: TraceError | None) -> None:
        """The database was asked: note how long it took, and whether it answered."""
        self.is_worked_out = True
        SECONDS.labels(self.question).observe(seconds)
        if error:
            DATABASE_ERRORS.labels(type(error).__name__).inc()
        else:
            answered_at = time.monotonic()
            LAST_GOOD_AGE.set_function(lambda: time.monotonic() - answered_at)


@contextmanager
def asking(question: str) -> Iterator[Asking]:
    """Count a question; one that was not worked out meanwhile was answered from the cache."""
    one = Asking(question)
    yield one
    QUESTIONS.labels(question).inc()
    if not one.is_worked_out:
        CACHE_HITS.labels(question).inc()


def written() -> bytes:
    """What was counted so far? OpenMetrics text."""
    text: bytes = generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
    return text


LAST_GOOD_AGE.set(float("nan"))
