"""New findings are sent to a webhook, at most once each, by one of the processes that share it.

Off without TRACELIB_WEBHOOK_URL. What was sent is in a file of the app's private folder, whose lock
one process holds; without the folder it is in this process's memory, and each process sends.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock, Thread

import httpx
from platformdirs import user_cache_path

from tracelib import errors, events
from tracelib.activity import ACTIVITY
from tracelib.filters import Filters
from tracelib.findings import Finding, Report
from tracelib.findings.message import message
from tracelib.private_folder import make_own
from tracelib.querying.attention import ATTENTION, EVERY_S, PATIENCE_S
from tracelib.querying.installation import Installation, installation, is_set, shared
from tracelib.replica.election import Election
from tracelib.window import recent

NAME = "sent.json"
# One that is over for as long, and comes back, is new.
FORGOTTEN_AFTER = timedelta(days=1)
TIMEOUT_S = 10.0


class Sent:
    """Which findings were sent, and when each was last there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen: dict[str, datetime] = {}
        self._election: Election | None = None
        if folder is not None:
            try:
                make_own(folder)
                self._election = Election(folder)
            except OSError as error:
                _complain("findings_sent_not_kept", error)
                self._folder = None

    def is_mine(self) -> bool:
        """Is it this process that sends? It reads what another one has sent before."""
        if self._election is None or self._election.is_won:
            return True
        try:
            if not self._election.win():
                return False
        except OSError as error:
            _complain("findings_sent_not_kept", error)
            return False
        self._seen = self._read()
        return True

    def take_new(self, found: Iterable[Finding], now: datetime) -> list[Finding]:
        """Which of these were not sent? From now on they count as sent, whatever happens."""
        known = {one: at for one, at in self._seen.items() if now - at < FORGOTTEN_AFTER}
        current = list(found)
        new = [one for one in current if one.id not in known]
        self._seen = known | {one.id: now for one in current}
        self._write()
        return new

    def give_back(self, some: Iterable[Finding]) -> None:
        """These were not sent after all."""
        for one in some:
            self._seen.pop(one.id, None)
        self._write()

    def resign(self) -> None:
        """Let another process send."""
        if self._election is not None:
            self._election.resign()

    def _read(self) -> dict[str, datetime]:
        if self._folder is None:
            return {}
        try:
            written: Mapping[str, str] = json.loads((self._folder / NAME).read_text("utf-8"))
            return {one: datetime.fromisoformat(at) for one, at in written.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            _complain("findings_sent_not_kept", error)
            return {}

    def _write(self) -> None:
        if self._folder is None:
            return
        text = json.dumps({one: at.isoformat() for one, at in self._seen.items()})
        partial = self._folder / f"{NAME}.new"
        try:
            partial.write_text(text, "utf-8")
            partial.replace(self._folder / NAME)
        except OSError as error:
            _complain("findings_sent_not_kept", error)


def notify(installed: Installation, report: Report, sent: Sent) -> int:
    """Send the findings that are new, in one message. How many were sent?

    If the receiver refuses it, or cannot be reached, they are sent at the next time; if it only
    does not respond, it may have them, and they are not sent again.
    """
    url = installed.settings.webhook_url
    if url is None or not sent.is_mine():
        return 0
    new = sent.take_new(report.findings, report.now)
    if not new:
        return 0
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
            response = client.post(url, json=message(new, installed.settings.public_url))
        response.raise_for_status()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.HTTPStatusError) as error:
        sent.give_back(new)
        _complain("findings_not_sent", error)
        return 0
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        _complain("findings_perhaps_sent", error)
    return len(new)


def _complain(event: str, error: Exception) -> None:
    """In the log; without the error's text, which has the address of the webhook."""
    events.log("warning", event, fault=type(error).__name__)


class Notifier:
    """The thread of this process that sends new findings while a webhook is set."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: Thread | None = None
        self.stop = Event()

    def ensure_running(self, installed: Installation) -> None:
        """Start the thread, unless it runs or no webhook is set."""
        if installed.settings.webhook_url is None:
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                run = (Sent(folder_of(installed)),)
                self._thread = Thread(target=self._run, args=run, name="notices", daemon=True)
                self._thread.start()

    def _run(self, sent: Sent) -> None:
        while not self.stop.is_set():
            try:
                installed = shared(installation())
                if installed.settings.webhook_url is None:
                    break
                if sent.is_mine():
                    _send(installed, sent)
            except errors.TraceError as error:
                ACTIVITY.record_error(error, "notices")
            except Exception as fault:
                events.exception("notices_fault", fault)
            self.stop.wait(EVERY_S)
        sent.resign()


NOTIFIER = Notifier()


def _send(installed: Installation, sent: Sent) -> None:
    now = datetime.now(UTC)
    _, future = ATTENTION.report(installed, Filters(recent("7d", now)), now)
    with suppress(TimeoutError):
        outcome = future.result(2 * PATIENCE_S)
        if outcome.report is not None:
            notify(installed, outcome.report, sent)


def begin() -> None:
    """Begin to send, if a webhook is set, before a viewer comes. Raises a TraceError."""
    if is_set("TRACELIB_WEBHOOK_URL"):
        NOTIFIER.ensure_running(installation())


def folder_of(installed: Installation) -> Path | None:
    """The private folder with what was sent about this database; None if nothing is written."""
    settings = installed.settings
    if not settings.keep_results:
        return None
    table = f"{installed.address.without_password()} {settings.table}"
    parent = (
        Path(settings.replica_folder) if settings.replica_folder else user_cache_path("tracelib")
    )
    return parent / f"findings-{sha256(table.encode()).hexdigest()[:12]}"
