"""The one process that writes the replica: it fills it, and keeps it in step with the log."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from threading import Event

import duckdb

from tracelib import errors, events
from tracelib.activity import ACTIVITY
from tracelib.replica import building, layout, spans
from tracelib.replica.filling import Filling
from tracelib.replica.host import Host
from tracelib.replica.layout import Counts, Range
from tracelib.replica.manifest import Hour, Manifest, Span
from tracelib.replica.naming import Naming
from tracelib.replica.storage import Opened, Storage
from tracelib.source import Postgres

TICK_S = 10.0
RECENT_S, RECENT_HOURS = 600.0, 48
CHECKED_S = 86_400.0
LONGEST_PAUSE_S = 300.0


class Writer:
    """Keeps the replica in this storage, if no other process does.

    `source` gives LiteLLM's database as it is now, and may raise a TraceError. `sentence` says what
    is wrong; empty if nothing is.
    """

    def __init__(
        self,
        source: Callable[[], Postgres],
        storage: Storage,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sentence = ""
        self._source, self._storage, self._clock = source, storage, clock
        self._opened: Opened | None = None
        self._naming = Naming(storage)
        self._filling = Filling(storage)
        self._failures = 0
        self._tick_at = self._recent_at = self._rest_until = 0.0

    def run(self, stop: Event) -> None:
        """Write until `stop` is set."""
        try:
            while not stop.is_set():
                stop.wait(self.step())
        finally:
            self.close()

    def close(self) -> None:
        """Let another process write."""
        self._opened = None
        self._filling.reset()
        self._storage.resign()

    def step(self) -> float:
        """Do one piece of work; how many seconds to wait until the next."""
        try:
            wait_s = self._step()
            self._failures, self.sentence = 0, ""
        except (errors.TraceError, OSError, duckdb.Error, spans.WrongCount) as error:
            return self._failed(error)
        except Exception as error:
            # A defect must not end the writer: the replica would grow old without a word.
            events.exception("replica_fault", error)
            return self._failed(errors.OwnFault(repr(error)))
        return max(wait_s, 0.0)

    def _step(self) -> float:
        if not self._storage.win():
            return TICK_S
        settings = self._storage.settings
        host = Host(self._source(), settings.folder, settings.reads_bodies)
        if self._opened is None:
            self._opened = self._storage.open(host.identity())
            events.log("info", "replica_writer_elected", rows=self._opened.manifest.rows)
            self._tick_at = 0.0
        if self._pause(self._opened):
            return TICK_S
        if self._clock() >= self._tick_at:
            self._tick(host, self._opened)
        elif self._clock() >= self._rest_until and not self._work(host, self._opened):
            self._rest_until = self._tick_at
        return min(self._tick_at, max(self._rest_until, self._clock())) - self._clock()

    def _pause(self, opened: Opened) -> bool:
        is_paused = self._storage.is_paused()
        if opened.manifest.is_paused != is_paused:
            opened.publish(replace(opened.manifest, is_paused=is_paused))
        return is_paused

    def _tick(self, host: Host, opened: Opened) -> None:
        """Compare the open hours, and read those again that differ or have closed an hour ago."""
        now = self._clock()
        opened.tidy(now)
        if opened.broken:
            self._heal(host, opened, now)
        if not opened.manifest.spans:
            self._begin(host, opened, now)
        else:
            self._follow(host, opened, now)
        self._tick_at = now + TICK_S

    def _begin(self, host: Host, opened: Opened, now: float) -> None:
        start = layout.open_start(now)
        counted = host.counts((start, None))
        rows = {hour: one for hour, (one, _) in counted.items()}
        hours: list[Range] = [*reversed(layout.runs(rows, rows, building.MOST_ROWS))]
        read = building.filled(host, self._storage, hours or [(start, None)], now)
        first = replace(read, start=start, end=None)
        opened.publish(
            replace(
                opened.manifest,
                spans=(first,),
                complete_from=start,
                as_of=now,
                names_file=self._naming.file(host, [first], None, now),
                rows_total_estimate=host.rows_estimate(),
            )
        )

    def _follow(self, host: Host, opened: Opened, now: float) -> None:
        *closed, last = opened.manifest.spans
        start = layout.open_start(now)
        parts = building.moved(self._storage, closed, last, start, now)
        if parts != opened.manifest.spans:
            opened.publish(replace(opened.manifest, spans=parts))
        first = self._compared_from(opened.manifest, now)
        counted = host.counts((first, None))
        held = _hours(parts)
        late = {hour: one for hour, one in held.items() if first is None or hour >= first}
        again = layout.unsettled(parts, now)
        known = {hour: (held[hour].rows, None) for hour in again if hour not in late}
        stale = self._stale(host, opened, late, counted) | again
        self._refresh(host, opened, stale, {**known, **counted}, now)
        opened.publish(replace(opened.manifest, as_of=now, sentence=""))

    def _compared_from(self, manifest: Manifest, now: float) -> int | None:
        """From which hour on may rows be new since the last comparison?"""
        start = manifest.spans[-1].start
        if start is None or now - manifest.as_of < RECENT_S:
            return start
        since = min(start, layout.hour_at(manifest.as_of) - layout.OPEN_HOURS)
        return since if manifest.complete_from is None else max(since, manifest.complete_from)

    def _stale(
        self, host: Host, opened: Opened, held: Mapping[int, Hour], counted: Counts
    ) -> frozenset[int]:
        """Which of these hours are to be read again? Not those that outlive the log's retention."""
        stale = layout.differing(held, counted)
        if not self._storage.settings.keeps_history or not stale:
            return stale
        first = host.first_hour()
        kept = stale & layout.gone(held, counted, first)
        if kept:
            before = max(max(kept) + 1, opened.manifest.kept_before or 0)
            opened.publish(replace(opened.manifest, kept_before=before))
        return stale - kept

    def _refresh(
        self, host: Host, opened: Opened, stale: Iterable[int], counted: Counts, now: float
    ) -> None:
        """Read these hours again and publish each span, the newest first."""
        for span in opened.manifest.spans[::-1]:
            if hours := layout.within(stale, span):
                new = building.refreshed(host, self._storage, span, hours, counted, now)
                opened.replace_spans([span], [new])

    def _heal(self, host: Host, opened: Opened, now: float) -> None:
        """Read all hours of files that are damaged."""
        for span in [one for one in opened.manifest.spans if one.file in opened.broken]:
            counted = host.counts((span.start, span.end))
            hours = {*span.hours, *counted}
            args = (host, self._storage, span, hours, counted, now)
            opened.replace_spans([span], [building.refreshed(*args, is_broken=True)])
        opened.broken.clear()

    def _work(self, host: Host, opened: Opened) -> bool:
        """Do the most urgent work between the ticks; False if there is none."""
        now, started = self._clock(), time.perf_counter()
        is_first = self._filling.is_first(opened.manifest.complete_from, now)
        done = (
            (is_first and self._filling.fill(host, opened, now))
            or self._name(host, opened, now)
            or self._join(opened, now)
            or self._recent(host, opened, now)
            or self._filling.fill(host, opened, now)
            or self._sum_up(opened, now)
            or self._check(host, opened, now)
        )
        if done and not is_first:
            took_s = time.perf_counter() - started
            self._rest_until = self._clock() + host.read_s / self._storage.settings.duty - took_s
        return done

    def _name(self, host: Host, opened: Opened, now: float) -> bool:
        if not self._naming.is_due(opened.manifest.spans, now):
            return False
        old = opened.manifest
        new = replace(
            old,
            names_file=self._naming.file(host, old.spans, old.names_file, now),
            models=self._naming.models(old.models),
            rows_total_estimate=host.rows_estimate(),
        )
        if new != old:
            opened.publish(new)
        return True

    def _join(self, opened: Opened, now: float) -> bool:
        places = layout.to_join(opened.manifest.spans)
        if places is None:
            return False
        parts = opened.manifest.spans[slice(*places)]
        opened.replace_spans(parts, [building.joined(self._storage, parts, now)])
        return True

    def _sum_up(self, opened: Opened, now: float) -> bool:
        """Write a file again that a version without sums wrote; the newest first."""
        for span in opened.manifest.spans[::-1]:
            if span.sums is None:
                opened.replace_spans([span], [building.joined(self._storage, [span], now)])
                return True
        return False

    def _recent(self, host: Host, opened: Opened, now: float) -> bool:
        """Compare the last two days, and drop the hours that the log has no longer."""
        if now < self._recent_at:
            return False
        start = layout.hour_at(now) - RECENT_HOURS
        held = _hours(opened.manifest.spans)
        counted = host.counts((max(start, opened.manifest.complete_from or start), None))
        oldest = host.first_hour()
        compared = {
            hour: one
            for hour, one in held.items()
            if hour >= start or oldest is None or hour < oldest
        }
        stale = self._stale(host, opened, compared, counted)
        self._refresh(host, opened, stale, counted, now)
        self._filling.has_room(opened)
        self._recent_at = now + RECENT_S
        return True

    def _check(self, host: Host, opened: Opened, now: float) -> bool:
        """Compare the span that was compared longest ago by its hashes, if that is a day ago."""
        span = layout.oldest_check(opened.manifest.spans, now - CHECKED_S)
        if span is None:
            return False
        counted = host.counts((span.start, span.end), hashed=True)
        stale = self._stale(host, opened, span.hours, counted) | self._missing(span)
        checked = replace(span, checked_at=now)
        if stale:
            checked = building.refreshed(host, self._storage, checked, stale, counted, now)
        opened.replace_spans([span], [checked])
        return True

    def _missing(self, span: Span) -> frozenset[int]:
        """Of which hours has the storage other rows than the manifest says?"""
        there = self._storage.counts(span)
        said = {hour: one.rows for hour, one in span.hours.items()}
        return frozenset(hour for hour, _ in there.items() ^ said.items())

    def _failed(self, error: Exception) -> float:
        """Say what is wrong, and how long to wait before another attempt."""
        self.sentence = _sentence(error)
        known = error if isinstance(error, errors.TraceError) else errors.ReplicaUnwritable()
        is_news = ACTIVITY.record_error(known, "replica")
        fault, sentence = type(error).__name__, known.sentence
        level: events.Level = "warning" if is_news else "debug"
        events.log(level, "replica_failed", fault=fault, sentence=sentence)
        if self._opened is not None:
            self._opened.fail(self.sentence, error)
        else:
            self._storage.tell(self.sentence, error)
        self._opened = None
        self._filling.reset()
        self._failures += 1
        return min(TICK_S * 2.0 ** (self._failures - 1), LONGEST_PAUSE_S)


def _hours(parts: Iterable[Span]) -> dict[int, Hour]:
    return {hour: one for part in parts for hour, one in part.hours.items()}


def _sentence(error: Exception) -> str:
    """What is wrong, for people."""
    if isinstance(error, errors.TraceError):
        return str(error)
    return str(errors.ReplicaUnwritable(str(error).strip()))
