"""New findings are sent once, by one process, and with nothing that is private."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.calling import place_of
from tests.rows import NOON
from tests.server import free_port
from tracelib import errors
from tracelib.findings import Finding, Report
from tracelib.findings.finding import evidence
from tracelib.findings.message import message
from tracelib.querying.installation import Installation
from tracelib.querying.notices import NAME, Sent, folder_of, notify
from tracelib.settings import read_settings
from tracelib.window import TimeWindow

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LOOP = Finding(
    id="a",
    source="loops",
    about=("key", "k"),
    headline="One session of gardener sent 40 requests in a loop",
    cause="Prompts of 1,000 tokens.",
    remedy="Stop the client.",
    usd=20.0,
    since=NOON,
    evidence=evidence("Sessions", TimeWindow(NOON, NOON + HOUR), {"session": "s"}),
)
OTHER = replace(LOOP, id="b", usd=None, headline="Something else", evidence=None)


@dataclass
class Receiver:
    """A webhook on this machine: what it got, and with which status it responds."""

    url: str
    status: int = 200
    got: list[dict] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(json.loads(body))
            self.send_response(made.status)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/secret-of-the-hook")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


def installed(url: str | None, **settings: object) -> Installation:
    return place_of("postgresql://ada@db.example.com/litellm", (), webhook_url=url, **settings)


def reported(*findings: Finding, hours: float = 0) -> Report:
    return Report(NOON + hours * HOUR, findings)


def test_a_new_finding_is_sent_once_as_long_as_it_lasts(receiver, tmp_path):
    place, sent = installed(receiver.url), Sent(tmp_path / "own")
    assert notify(place, reported(LOOP), sent) == 1
    assert notify(place, reported(LOOP, OTHER, hours=1), sent) == 1
    assert notify(place, reported(LOOP, OTHER, hours=2), sent) == 0
    # Over for two hours is the same finding; over for a day and back it is a new one.
    assert notify(place, reported(hours=4), sent) == 0
    assert notify(place, reported(LOOP, hours=6), sent) == 0
    assert notify(place, reported(LOOP, hours=31), sent) == 1
    first, second, third = receiver.got
    assert first == {
        "text": "1 new finding in LLM traffic\n• $20.00: One session of gardener sent 40 requests "
        "in a loop. Since 23 Nov 12:00 UTC. Stop the client."
    }
    assert second["text"].startswith("1 new finding in LLM traffic\n• Something else.")
    assert third == first


def test_the_next_process_knows_what_was_sent_and_only_one_sends(receiver, tmp_path):
    place, first, second = installed(receiver.url), Sent(tmp_path), Sent(tmp_path)
    assert notify(place, reported(LOOP), first) == 1
    assert notify(place, reported(LOOP, OTHER), second) == 0
    first.resign()
    assert notify(place, reported(LOOP, OTHER), second) == 1
    second.resign()
    assert len(receiver.got) == 2
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0 or tmp_path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": "no time"}'])
def test_a_broken_file_is_as_none(receiver, tmp_path, text):
    (tmp_path / NAME).write_text(text)
    sent = Sent(tmp_path)
    assert notify(installed(receiver.url), reported(LOOP), sent) == 1
    sent.resign()


def test_what_is_refused_is_sent_at_the_next_time_and_what_may_have_arrived_is_not(
    receiver, tmp_path
):
    sent = Sent(tmp_path)
    nowhere = installed(f"http://127.0.0.1:{free_port()}/")
    assert notify(nowhere, reported(LOOP), sent) == 0
    receiver.status = 500
    assert notify(installed(receiver.url), reported(LOOP), sent) == 0
    receiver.status = 302
    assert notify(installed(receiver.url), reported(LOOP), sent) == 0
    receiver.status = 200
    assert notify(installed(receiver.url), reported(LOOP), sent) == 1
    assert len(receiver.got) == 3
    sent.resign()


def test_a_receiver_that_does_not_respond_gets_it_once(tmp_path, monkeypatch):
    monkeypatch.setattr("tracelib.querying.notices.TIMEOUT_S", 0.2)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler, bind_and_activate=True)
    sent = Sent(tmp_path)
    place = installed(f"http://127.0.0.1:{server.server_port}/")
    assert notify(place, reported(LOOP), sent) == 1
    assert notify(place, reported(LOOP), sent) == 0
    server.server_close()
    sent.resign()


def test_without_a_webhook_nothing_is_sent(tmp_path):
    assert notify(installed(None), reported(LOOP), Sent(None)) == 0


def test_a_folder_that_cannot_be_made_leaves_it_to_memory(receiver, tmp_path):
    (tmp_path / "file").write_text("")
    sent = Sent(tmp_path / "file")
    place = installed(receiver.url)
    assert [notify(place, reported(LOOP), sent) for _ in range(2)] == [1, 0]


def test_the_message_has_a_link_and_no_private_data():
    odd = replace(
        LOOP,
        headline="User Ada <!channel> & ada@example.com cost $5 in 1 hour",
        private_name="Ada",
    )
    text = message([odd], "https://traces.example.com")["text"]
    assert text.endswith(
        "\nhttps://traces.example.com/Sessions?range=custom&from=2026-11-23T12%3A00Z"
        "&to=2026-11-23T13%3A00Z&session=s"
    )
    assert "(name withheld) &lt;!channel&gt; &amp; [e-mail] cost $5" in text
    assert "Ada" not in text
    assert "Prompts of" not in text


def test_the_address_of_the_webhook_is_shown_nowhere(receiver, tmp_path, caplog):
    place = installed(receiver.url)
    receiver.status = 500
    notify(place, reported(LOOP), Sent(tmp_path))
    assert "secret-of-the-hook" not in f"{place!r} {place.settings!r} {caplog.text}"
    assert "findings_not_sent" in caplog.text


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "http://localhost:9/x", "http://[::1]:9/x"]
)
def test_a_webhook_is_encrypted_or_on_this_machine(url):
    assert read_settings({"TRACELIB_WEBHOOK_URL": url}).webhook_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "ftp://localhost/x",
        "hooks-of-mine",
        "https:///x",
        "http://[::1",
    ],
)
def test_another_address_of_a_webhook_is_refused_without_quoting_it(url):
    with pytest.raises(errors.BadSetting) as raised:
        read_settings({"TRACELIB_WEBHOOK_URL": url})
    assert "TRACELIB_WEBHOOK_URL" in raised.value.detail
    assert url not in raised.value.detail


def test_each_database_has_a_folder_of_its_own_or_none():
    one, other = installed(None, keep_results=True), installed(None)
    assert folder_of(other) is None
    second = replace(one, address=place_of("postgresql://ada@db/other", ()).address)
    assert folder_of(one) != folder_of(second)
    assert isinstance(folder_of(one), Path)
