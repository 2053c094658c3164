"""Changes of the installation, and their marks on charts over time."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.page_words import words
from tests.replicas import PLACES
from tests.rows import NOON, key_of, metadata, name_key, spend_log
from tests.sources import FILTERS, HOUR, WINDOW, source_of
from tracelib import changes, demo
from tracelib.charts import traffic
from tracelib.charts.base import TimeAxis
from tracelib.charts.marks import MOST_LINES, MOST_MARKS, Mark, grouped
from tracelib.choice import OFF
from tracelib.demo import moves
from tracelib.demo.gateway import scene
from tracelib.filters import Filters
from tracelib.page.base import change_marks
from tracelib.permissions.access import Access, Scope
from tracelib.window import BUCKETS, TimeWindow

LATER = NOON + timedelta(minutes=20)
OLD = spend_log(startTime=NOON - 26 * HOUR)


def said(found: tuple) -> list[tuple]:
    return [(one.at, one.words) for one in found]


def tags(agent: str) -> list[str]:
    return [f"User-Agent: {agent.partition('/')[0]}", f"User-Agent: {agent}"]


def news() -> list[dict]:
    new = {"model_group": "gpt-5", "model": "azure/gpt-5-eu", "startTime": LATER}
    return [
        OLD,
        spend_log(request_tags=tags("claude-cli/2.0.1 (external, cli)"), startTime=NOON - HOUR),
        spend_log(
            request_tags=tags("claude-cli/2.1.0 (external, cli)"), startTime=LATER + HOUR / 6
        ),
        spend_log(**new),
        spend_log(**new | {"startTime": LATER + HOUR / 10}),
    ]


NEWS = [
    (LATER, "Deployment azure/gpt-5-eu first used"),
    (LATER, "Model gpt-5 first used"),
    (LATER + HOUR / 6, "Agent claude-cli/2.1.0 first used"),
]


def test_what_is_first_seen_in_the_window_is_a_change(database):
    source = source_of(database(rows=news()))
    assert said(changes.first_seen(source, FILTERS)) == NEWS
    # Other filters do not narrow it, a scope does.
    assert said(changes.first_seen(source, replace(FILTERS, model=("other",)))) == NEWS
    nobody = source.seen_by(Access(Scope(teams=("red",)), "viewer"))
    assert changes.first_seen(nobody, FILTERS) == ()
    somebody = source.seen_by(Access(Scope(teams=("team-1",)), "viewer"))
    assert said(changes.first_seen(somebody, FILTERS)) == NEWS
    later = Filters(TimeWindow(WINDOW.end, WINDOW.end + HOUR))
    assert changes.first_seen(source, later) == ()


@pytest.mark.parametrize("place", PLACES)
def test_a_replica_has_the_same_first_starts(database, server, tmp_path, place):
    source = source_of(database(rows=news()))
    with PLACES[place](source, server, tmp_path) as replica:
        assert changes.first_seen(replica, FILTERS) == changes.first_seen(source, FILTERS)


def test_the_beginning_of_a_log_is_no_change(database):
    assert changes.first_seen(source_of(database()), FILTERS) == ()
    first = spend_log(startTime=NOON + timedelta(seconds=1))
    assert changes.first_seen(source_of(database(rows=[first])), FILTERS) == ()
    # What comes well after it is one.
    found = said(changes.first_seen(source_of(database(rows=[first, *news()[2:]])), FILTERS))
    assert found == NEWS


def priced(at: datetime, price: float, **given: Any) -> dict:
    listed = {"input_cost_per_token": price, "output_cost_per_token": 8e-6}
    listed |= given.pop("listed", {})
    about = metadata(model_map_information={"model_map_value": listed})
    return spend_log(startTime=at, metadata=about, **given)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (
            [priced(NOON, 2e-6), priced(LATER, 3e-6), priced(LATER + HOUR / 4, 3e-6)],
            [(LATER, "Price of openai/gpt-4o: input $2 → $3 per million tokens")],
        ),
        # Back again is no new price, nor is that of another deployment or a failure.
        (
            [priced(NOON, 2e-6), priced(LATER, 2e-6), priced(LATER, 4e-6, model="azure/x")],
            [],
        ),
        ([priced(NOON, 2e-6), priced(LATER, 3e-6, status="failure")], []),
        ([priced(NOON, 2e-6), priced(LATER, 2.0000001e-6)], []),
        ([spend_log(), priced(LATER, 3e-6), spend_log(metadata='"text"')], []),
        ([priced(NOON, 2e-6), priced(LATER, 3e-6, listed={"input_cost_per_token": "free"})], []),
        (
            [
                priced(NOON - HOUR / 40, 1e-6),
                priced(LATER, 0.0, listed={"output_cost_per_token": 0}),
            ],
            [(LATER, "Price of openai/gpt-4o: input $1 → $0, output $8 → $0 per million tokens")],
        ),
    ],
    ids=["dearer", "same", "failure", "rounding", "unknown", "no number", "free"],
)
def test_a_price_that_moved_is_a_change(database, rows, found):
    assert said(changes.price_changes(source_of(database(rows=rows)), FILTERS)) == found


def test_a_deployment_that_is_called_as_its_model_is_one_change(database):
    alike = spend_log(startTime=LATER, model_group="", model="gpt-5", request_tags=[])
    found = changes.first_seen(source_of(database(rows=[OLD, alike])), FILTERS)
    assert said(found) == [(LATER, "Model gpt-5 first used")]


def test_without_the_metadata_no_price_is_known(database, role):
    log = database(rows=[priced(NOON, 2e-6), priced(LATER, 3e-6)])
    listed = ", ".join(f'"{one}"' for one in spend_log() if one != "metadata")
    url = role(log, "plain", [f'SELECT ({listed}) ON "LiteLLM_SpendLogs"'])
    assert changes.price_changes(source_of(log, url), FILTERS) == ()


AUDITED = """INSERT INTO "LiteLLM_AuditLog" (id, updated_at, action, table_name, object_id,
    before_value, updated_values)
    VALUES ('{id}', '{at}', '{action}', '{table}', '{object}', '{{}}', '{{"secret": 1}}')"""
IN_TABLE = """INSERT INTO "LiteLLM_ProxyModelTable" (model_id, model_name, litellm_params,
    created_at, created_by, updated_at, updated_by)
    VALUES ('{id}', '{name}', '{{}}', '{at}', 'ada', '{updated}', 'ada')"""


def audited(number: int, table: str, action: str, object_id: str, at: str = "12:20") -> str:
    values = {"id": number, "at": f"2026-11-23 {at}", "table": table, "object": object_id}
    return AUDITED.format(action=action, **values)


def recording(database) -> Any:
    log = database(rows=[OLD])
    name_key(log.engine, key_of("ci"), "ci-doctor")
    log.execute(
        audited(1, "LiteLLM_TeamTable", "updated", "blue"),
        audited(2, "LiteLLM_VerificationToken", "deleted", key_of("ci"), "12:21"),
        audited(3, "LiteLLM_UserTable", "created", "ada@example.com", "12:22"),
        audited(4, "LiteLLM_TeamTable", "updated", "old", "11:59:59"),
        IN_TABLE.format(id=1, name="gpt-5", at="2026-11-23 12:30", updated="2026-11-23 12:30"),
        IN_TABLE.format(id=2, name="old", at="2026-11-01", updated="2026-11-23 12:40"),
        """INSERT INTO "LiteLLM_ProxyWorkerHeartbeat" VALUES
           ('a', 'pod-1', '2026-11-23 12:50:03', now()),
           ('b', 'pod-2', '2026-11-23 12:50:40', now())
        """,
        f"""UPDATE "LiteLLM_VerificationToken" SET last_rotation_at = '2026-11-23 12:55'
            WHERE token = '{key_of("ci")}'""",
    )
    return log


def test_what_litellm_recorded_is_a_change_as_far_as_it_may_be_read(database, role):
    log = recording(database)
    source = source_of(log)
    found = [one.words for one in changes.recorded(source, FILTERS)]
    assert found == [
        "Team blue updated",
        "Key ci-doctor deleted",
        "Model gpt-5 added",
        "Model old updated",
        "Proxy started a worker",
        "Key ci-doctor rotated",
    ]
    # It is about the whole installation.
    assert changes.recorded(source.seen_by(Access(Scope(teams=("blue",)), "admin")), FILTERS) == ()
    url = role(log, "poor", ['SELECT ON "LiteLLM_SpendLogs"'])
    assert changes.recorded(source_of(log, url), FILTERS) == ()


def test_a_change_of_a_model_in_both_tables_is_one(database):
    log = recording(database)
    log.execute(audited(9, "LiteLLM_ProxyModelTable", "created", "1", "12:30"))
    found = [one.words for one in changes.recorded(source_of(log), FILTERS)]
    assert [one for one in found if one.startswith("Model")] == [
        "Model created",
        "Model old updated",
    ]


def test_an_old_version_has_recorded_nothing(database):
    log = database("2025-03-26", rows=[OLD])
    source = source_of(log)
    assert changes.recorded(source, FILTERS) == ()
    assert changes.first_seen(source, FILTERS) == ()


moments = st.lists(st.timedeltas(timedelta(0), HOUR).map(lambda passed: NOON + passed), max_size=60)


@given(moments)
def test_near_marks_are_one_and_none_is_lost(at):
    marks = [Mark(one, (str(number),)) for number, one in enumerate(at)]
    found = grouped(marks, HOUR)
    assert len(found) <= MOST_MARKS
    assert sorted(line for one in found for line in one.lines) == sorted(map(str, range(len(at))))
    assert list(found) == sorted(found, key=lambda one: one.at)


def test_marks_are_drawn_over_every_chart_and_their_names_are_text():
    lines = tuple(f"Model <b>{number}</b>" for number in range(MOST_LINES + 2))
    axis = TimeAxis(WINDOW, "UTC", BUCKETS["5m"], WINDOW.end, (Mark(LATER, lines),))
    starts = [NOON + timedelta(minutes=5 * number) for number in range(12)]
    frame = changes_frame(starts)
    chart = traffic.requests(frame, axis)
    drawn = chart.data[-1]
    assert [drawn.x[0], drawn.y[0], drawn.yaxis] == [LATER.replace(tzinfo=None), 1, "y9"]
    assert drawn.customdata[0].startswith("Model &lt;b&gt;0&lt;/b&gt;<br>")
    assert drawn.customdata[0].endswith("<br>and 2 more")
    assert [one.x0 for one in chart.layout.shapes] == [drawn.x[0]]
    # A chart with a scale of its own leaves theirs.
    rates = frame.assign(error_rate=0.02, requests=100)
    rate = traffic.error_rate(rates, axis)
    assert rate.layout.yaxis9.range == (0, 1)
    assert rate.layout.yaxis.range[1] == pytest.approx(0.052)
    assert [one.fill for one in rate.data] == ["tozeroy", None]
    without = traffic.requests(frame, replace(axis, marks=()))
    assert len(without.data) == len(chart.data) - 1
    assert not without.layout.shapes


def changes_frame(starts: list[datetime]) -> Any:
    frame = pd.DataFrame({"requests": [1] * len(starts), "failures": [0] * len(starts)})
    frame.insert(0, "bucket", pd.Series(starts, dtype="datetime64[us, UTC]"))
    return frame


DAY = {"range": "custom", "from": "2026-11-23T12:00", "to": "2026-11-23T13:00", "zone": "UTC"}
PART = {"part": "what changed"}


def charts_of(app) -> list[str]:
    return [node.proto.spec for node in app.get("plotly_chart")]


def test_pages_share_the_switch_and_the_part_lists_the_changes(open_page, database, monkeypatch):
    monkeypatch.setattr(change_marks, "PATIENCE_S", 60.0)
    log = database(rows=news())
    app = open_page("pages/Overview.py", log.url, **DAY | PART)
    assert not app.exception
    assert list(app.dataframe[-1].value["words"]) == [one for _, one in reversed(NEWS)]
    app = open_page("pages/Overview.py", log.url, **DAY)
    assert any("Model gpt-5 first used" in one for one in charts_of(app))
    app.checkbox(key=change_marks.SWITCH).uncheck().run()
    assert app.query_params["marks"] == OFF
    assert not any("first used" in one for one in charts_of(app))
    app = open_page("pages/Overview.py", log.url, **DAY | PART, marks=OFF)
    assert "or its marks are switched off" in words(app)


def test_a_filter_of_models_narrows_the_marks(open_page, database, monkeypatch):
    monkeypatch.setattr(change_marks, "PATIENCE_S", 60.0)
    app = open_page("pages/Overview.py", database(rows=news()).url, **DAY | PART, model="gpt-4o")
    assert list(app.dataframe[-1].value["words"]) == ["Agent claude-cli/2.1.0 first used"]


def test_late_marks_do_not_delay_a_page_and_come_with_its_next_run(
    open_page, database, monkeypatch
):
    monkeypatch.setattr(change_marks, "PATIENCE_S", 0.0)
    app = open_page("pages/Overview.py", database(rows=news()).url, **DAY)
    assert not app.exception
    assert any("Model gpt-5 first used" in one for one in charts_of(app))


def test_the_sample_has_each_kind():
    now = datetime(2026, 11, 27, 15, tzinfo=UTC)
    events = scene(now)
    dearer, added, updated = (
        datetime.fromtimestamp(at(events), UTC).replace(tzinfo=None)
        for at in (moves.dearer_from, moves.added_from, moves.updated_from)
    )
    rows = list(demo.requests(demo.SEED, now - timedelta(days=7), now))
    prices = {
        (json.loads(row["metadata"])["model_map_information"] or {})
        .get("model_map_value", {})
        .get("input_cost_per_token"): row["startTime"] >= dearer
        for row in rows
        if row["model_group"] == moves.DEARER
    }
    prices.pop(None, None)
    assert prices == {2e-6: False, 2.8e-6: True}
    first = min(row["startTime"] for row in rows if row["model"] == moves.ADDED.model)
    assert added <= first <= added + timedelta(days=1)
    first = min(row["startTime"] for row in rows if moves.NEW_CLIENT in row["request_tags"])
    assert updated <= first <= updated + timedelta(days=1)
