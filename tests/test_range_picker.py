"""The range picker: what each choice means, and that nothing counts before it is applied."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from tests.page_words import plain, words
from tests.rows import spend_log

PAGE = "pages/Overview.py"
LIST = "filter span"
FIRST_DAY, FIRST_TIME = "range first day", "range first time"
LAST_DAY, LAST_TIME = "range last day", "range last time"


def url_of(app) -> dict[str, str]:
    """What the URL says of the range."""
    query = app.query_params
    return {name: query[name] for name in ("range", "from", "to") if name in query}


def button(app, label: str):
    (found,) = [one for one in app.button if one.label == label]
    return found


@pytest.fixture
def opened(open_page, empty_database):
    """Opens Overview on an empty log: `opened(**query)`."""

    def at(**query):
        return open_page(PAGE, empty_database.url, **{"zone": "Europe/Paris"} | query)

    return at


def custom(app, **query):
    """The form of a custom range, as it opens."""
    app.selectbox(LIST).set_value("own between").run()
    assert not app.exception
    return app


def fields(app) -> tuple:
    return (
        app.date_input(FIRST_DAY).value,
        app.time_input(FIRST_TIME).value,
        app.date_input(LAST_DAY).value,
        app.time_input(LAST_TIME).value,
    )


def test_the_list_has_the_named_ranges_in_their_order(opened):
    listed = [
        *("Last hour", "Last 24 hours", "Last 7 days", "Last 30 days"),
        *("Today", "Yesterday", "This week", "This month", "Last month"),
        *("Last … hours or days", "Custom range …"),
    ]
    assert opened().selectbox(LIST).options == listed
    assert opened(range="36h").selectbox(LIST).options == ["Last 36 hours", *listed]


@pytest.mark.parametrize(
    "name", ["1h", "24h", "30d", "today", "yesterday", "this-week", "last-month"]
)
def test_a_named_range_counts_at_once(opened, name):
    app = opened(range="36h")
    app.selectbox(LIST).set_value(name).run()
    assert not app.exception
    assert url_of(app) == {"range": name}
    assert app.selectbox(LIST).value == name
    app.selectbox(LIST).set_value("7d").run()
    assert url_of(app) == {}


@pytest.mark.parametrize(
    ("query", "start"),
    [
        (
            {"range": "custom", "from": "2026-11-01", "to": "2026-11-03"},
            (date(2026, 11, 1), None, date(2026, 11, 3), None),
        ),
        (
            {"from": "2026-11-01T14:00", "to": "2026-11-03T09:30"},
            (date(2026, 11, 1), time(14), date(2026, 11, 3), time(9, 30)),
        ),
        # The moment it is in Paris.
        (
            {"from": "2026-11-01T14:00Z", "to": "2026-11-01T15:00Z"},
            (date(2026, 11, 1), time(15), date(2026, 11, 1), time(16)),
        ),
    ],
)
def test_a_custom_range_starts_from_the_range_that_is_shown(opened, query, start):
    app = custom(opened(**query))
    assert fields(app) == start
    button(app, "Apply").click().run()
    assert url_of(app)["from"].removesuffix("Z") in {query["from"], "2026-11-01T15:00"}
    assert app.selectbox(LIST).value == "custom"


def test_a_range_of_a_day_and_more_starts_with_its_days_and_a_shorter_one_with_times(opened):
    first, first_time, last, last_time = fields(custom(opened(range="7d")))
    assert (last - first, first_time, last_time) == (timedelta(days=7), None, None)
    first, first_time, last, last_time = fields(custom(opened(range="1h")))
    ends = datetime.combine(first, first_time), datetime.combine(last, last_time)
    assert ends[1] - ends[0] == timedelta(hours=1)
    assert fields(custom(opened(range="24h")))[1::2] == (None, None)
    yesterday = fields(custom(opened(range="yesterday")))
    assert (yesterday[0], *yesterday[1::2]) == (yesterday[2], None, None)


@pytest.mark.parametrize(
    ("first_time", "last_time", "url"),
    [
        (None, None, {"range": "custom", "from": "2026-11-01", "to": "2026-11-01"}),
        (time(14), None, {"range": "custom", "from": "2026-11-01T14:00", "to": "2026-11-02T00:00"}),
        (
            None,
            time(9, 7),
            {"range": "custom", "from": "2026-11-01T00:00", "to": "2026-11-01T09:07"},
        ),
    ],
)
def test_one_day_is_a_range_whole_or_in_part(opened, first_time, last_time, url):
    app = custom(opened())
    for key in (FIRST_DAY, LAST_DAY):
        app.date_input(key).set_value(date(2026, 11, 1))
    app.time_input(FIRST_TIME).set_value(first_time)
    app.time_input(LAST_TIME).set_value(last_time)
    button(app, "Apply").click().run()
    assert not app.exception
    assert url_of(app) == url
    assert not app.date_input
    assert "1 November 2026" in plain(words(app))


def test_an_open_form_stays_open_through_a_refresh_and_counts_for_nothing(opened):
    app = custom(opened(range="24h"))
    begun = fields(app)
    for _ in range(3):
        app.run()
        assert (fields(app), url_of(app)) == (begun, {"range": "24h"})
        assert app.selectbox(LIST).value == "own between"
    assert "Last 24 hours" in plain(words(app))


def test_what_was_begun_is_forgotten_when_it_is_cancelled_or_another_range_is_chosen(opened):
    app = custom(opened(range="24h"))
    app.date_input(FIRST_DAY).set_value(date(2026, 11, 1))
    button(app, "Cancel").click().run()
    assert (url_of(app), app.selectbox(LIST).value) == ({"range": "24h"}, "24h")
    assert not app.date_input
    begun_anew = fields(custom(app))
    assert begun_anew[0] != date(2026, 11, 1)
    app.selectbox(LIST).set_value("today").run()
    assert (url_of(app), bool(app.date_input)) == ({"range": "today"}, False)


def test_the_range_that_is_shown_can_be_chosen_again_to_leave_the_form(opened):
    app = custom(opened(**{"from": "2026-11-01", "to": "2026-11-03"}))
    app.selectbox(LIST).set_value("custom").run()
    assert url_of(app) == {"range": "custom", "from": "2026-11-01", "to": "2026-11-03"}
    assert not app.date_input


@pytest.mark.parametrize(
    ("first", "last", "complaint"),
    [
        (date(2026, 11, 3), date(2026, 11, 1), "The range ends before it starts."),
        (date(2020, 1, 1), date(2026, 11, 1), "The range is longer than 400 days."),
    ],
)
def test_a_custom_range_that_makes_no_sense_says_so_and_keeps_what_was_chosen(
    opened, first, last, complaint
):
    app = custom(opened(range="24h"))
    app.date_input(FIRST_DAY).set_value(first)
    app.date_input(LAST_DAY).set_value(last)
    button(app, "Apply").click().run()
    assert [one.value for one in app.error] == [complaint]
    assert (fields(app)[0], fields(app)[2], url_of(app)) == (first, last, {"range": "24h"})
    app.date_input(FIRST_DAY).set_value(last)
    button(app, "Apply").click().run()
    assert not app.error
    assert url_of(app)["from"] == last.isoformat()


@pytest.mark.parametrize(
    ("shown", "start", "count", "unit", "chosen"),
    [
        ("7d", (7, "days"), 36, "hours", "36h"),
        ("24h", (24, "hours"), 2, "days", "2d"),
        ("yesterday", (24, "hours"), 48, "hours", "2d"),
        ("36h", (36, "hours"), 90, "days", "90d"),
    ],
)
def test_so_many_hours_or_days_of_ones_own(opened, shown, start, count, unit, chosen):
    app = opened(range=shown)
    app.selectbox(LIST).set_value("own last").run()
    assert (app.number_input("range count").value, app.selectbox("range unit").value) == start
    app.number_input("range count").set_value(count)
    app.selectbox("range unit").set_value(unit)
    assert url_of(app) == ({"range": shown} if shown != "7d" else {})
    button(app, "Apply").click().run()
    assert not app.exception
    assert url_of(app) == {"range": chosen}
    assert app.selectbox(LIST).value == chosen


@pytest.mark.parametrize(
    "ends",
    [
        # 401 days, with an hour that comes twice.
        {"from": "2025-10-01", "to": "2026-11-05", "zone": "Europe/Paris"},
        {"from": "2200-12-31T20:00Z", "to": "2200-12-31T22:00Z", "zone": "Pacific/Auckland"},
        {"from": "2000-01-01T00:00Z", "to": "2000-01-01T02:00Z", "zone": "America/New_York"},
    ],
)
@pytest.mark.parametrize("form", ["own last", "own between"])
def test_the_forms_open_at_the_outermost_ranges(opened, ends, form):
    app = opened(**ends)
    app.selectbox(LIST).set_value(form).run()
    assert not app.exception
    assert [one.label for one in app.button if one.label == "Apply"] == ["Apply"]
    # Streamlit shows the least number instead of one that is too great.
    assert all(one.value > 1 for one in app.number_input)


def test_too_many_days_say_so(opened):
    app = opened()
    app.selectbox(LIST).set_value("own last").run()
    app.number_input("range count").set_value(401)
    button(app, "Apply").click().run()
    assert [one.value for one in app.error] == ["The range is longer than 400 days."]
    assert url_of(app) == {}


def test_the_range_of_another_page_is_carried_along(opened):
    app = opened(**{"from": "2026-11-01T14:00", "to": "2026-11-03T09:30"})
    app.switch_page("pages/Models.py").run()
    assert url_of(app) == {"range": "custom", "from": "2026-11-01T14:00", "to": "2026-11-03T09:30"}
    assert "1 November 2026 14:00 to 3 November 2026 09:30" in plain(words(app))


def changes(app) -> list[str]:
    return [metric.delta for metric in app.metric if metric.delta]


def at(age: timedelta, **changed) -> dict:
    return spend_log(startTime=datetime.now(UTC) - age, session_id=str(age), **changed)


HOUR = timedelta(hours=1)


def test_a_change_is_shown_against_a_window_that_the_log_covers(open_page, database):
    ages = (0.1 * HOUR, 0.2 * HOUR, 1.5 * HOUR, 2.5 * HOUR)
    app = open_page(PAGE, database(rows=[at(age, spend=0.1) for age in ages]).url, range="1h")
    assert changes(app)[0] == "+100.0 %"
    assert "No change is shown" not in plain(words(app))


def test_no_change_is_shown_against_a_window_that_begins_before_the_log(open_page, database):
    made = [at(age, spend=0.1) for age in (0.1 * HOUR, 0.2 * HOUR, 1.5 * HOUR)]
    app = open_page(PAGE, database(rows=made).url, range="1h", zone="UTC")
    assert changes(app) == []
    oldest = made[-1]["startTime"]
    assert f"No change is shown: the log begins on {oldest.day} {oldest:%b %Y %H:%M}" in plain(
        words(app)
    )


def test_what_the_filters_leave_out_is_of_the_log_all_the_same(open_page, database):
    rows = [at(0.1 * HOUR, user="ada"), at(1.5 * HOUR, user="ada"), at(2.5 * HOUR, user="bob")]
    app = open_page(PAGE, database(rows=rows).url, range="1h", user="ada")
    assert changes(app)[0] == "0 %"
