"""Which database is left alone for a moment, because it could not be queried."""

from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic

from tracelib import errors, events, metrics
from tracelib.database_url import DatabaseAddress

# With these errors a database is not queried again at once.
BREAKING = (
    errors.DatabaseUnreachable,
    errors.DatabaseHangs,
    errors.ConnectionsExhausted,
    errors.SignInRefused,
)
# With these it is unknown whether the database responds.
UNDECIDED = (errors.Cancelled, errors.PoolBusy)
# The first pause and the longest, in seconds: each is twice the one before. All are shorter than
# the shortest refresh interval, so that a page tries again at each refresh.
PAUSES_S = (2.0, 8.0)
# Accounts are locked after some attempts with a wrong password.
PAUSES_OF_SIGN_IN_S = (10.0, 60.0)
# How long the others wait for the one query that tries the database again.
TRIAL_S = 30.0


@dataclass(eq=False, slots=True)
class Outage:
    """Why a database is not queried, since when, until when, and how often in a row it failed.

    `trial` is there while one query tries it again.
    """

    error: errors.TraceError
    since: datetime
    until: float
    failures: int
    trial: Event | None = None

    @property
    def left_s(self) -> float:
        """Seconds until it is tried again."""
        return max(0.0, self.until - monotonic())


class Breaker:
    """The databases that could not be queried. After each pause one query tries it again."""

    def __init__(self) -> None:
        self._outages: dict[DatabaseAddress, Outage] = {}
        self._lock = Lock()

    def error(self, address: DatabaseAddress) -> errors.TraceError | None:
        """Why is this database not queried now? None if it is, or if the caller is to try it.

        Waits while another one tries it.
        """
        while outage := self._outages.get(address):
            with self._lock:
                if monotonic() < outage.until:
                    return outage.error
                trial = outage.trial
                if trial is None:
                    outage.trial = Event()
                    return None
            if not trial.wait(TRIAL_S):
                return outage.error
        return None

    def outage(self, address: DatabaseAddress) -> Outage | None:
        """Why is this database not queried, if it is not?"""
        return self._outages.get(address)

    def fail(self, address: DatabaseAddress, error: errors.TraceError) -> None:
        """Leave this database alone; those that failed at the same time are one failure."""
        with self._lock:
            earlier = self._outages.get(address)
            if earlier and earlier.trial is None and monotonic() < earlier.until:
                return
            failures = earlier.failures + 1 if earlier else 1
            until = monotonic() + _pause_s(error, failures)
            since = earlier.since if earlier else datetime.now(UTC)
            self._outages[address] = Outage(error, since, until, failures)
            _end_trial(earlier)
        _log_failure(address, error, failures)

    def leave_undecided(self, address: DatabaseAddress) -> None:
        """A query ended without a sign of whether it responds: the next one tries it."""
        with self._lock:
            if outage := self._outages.get(address):
                _end_trial(outage)
                outage.trial = None

    def recover(self, address: DatabaseAddress) -> None:
        """It has responded."""
        with self._lock:
            outage = self._outages.pop(address, None)
            _end_trial(outage)
        if outage:
            seconds = (datetime.now(UTC) - outage.since).total_seconds()
            where = address.in_words()
            events.log("info", "breaker_closed", database=where, seconds=seconds)

    def reset(self) -> None:
        """Query every database again."""
        with self._lock:
            for outage in self._outages.values():
                _end_trial(outage)
            self._outages.clear()


def _log_failure(address: DatabaseAddress, error: errors.TraceError, failures: int) -> None:
    is_first = failures == 1
    metrics.OPENINGS.inc(is_first)
    events.log(
        "warning" if is_first else "debug",
        "breaker_opened" if is_first else "breaker_stays_open",
        database=address.in_words(),
        error=type(error).__name__,
        sentence=error.sentence,
        failures=failures,
        pause_s=_pause_s(error, failures),
    )


def _pause_s(error: errors.TraceError, failures: int) -> float:
    is_sign_in = isinstance(error, errors.SignInRefused)
    first, longest = PAUSES_OF_SIGN_IN_S if is_sign_in else PAUSES_S
    return float(min(first * 2 ** (failures - 1), longest))


def _end_trial(outage: Outage | None) -> None:
    if outage and outage.trial:
        outage.trial.set()
