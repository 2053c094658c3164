"""The guide to customizing, followed step by step: on a copy of the app, or by its settings."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.page_words import figures, words
from tests.rows import failure, spend_log

ROOT = Path(__file__).parent.parent
SECTIONS = (ROOT / "docs" / "customizing.md").read_text().split("\n## ")[1:]
FOLLOWED = {
    "A new tile, in three lines",
    "A new chart, in three steps",
    "A new filter, in one line",
    "Colours",
    "Refresh",
    "What is masked",
    "Another schema, another table",
}


def test_every_section_of_the_guide_is_followed_here():
    assert {one.partition("\n")[0] for one in SECTIONS} == FOLLOWED


def section(heading: str) -> str:
    """The text below this heading of the guide."""
    (found,) = (one for one in SECTIONS if one.startswith(f"{heading}\n"))
    return found


def recipe(heading: str, language: str = "python") -> list[str]:
    """The blocks of code below this heading of the guide."""
    return re.findall(rf"```{language}\n(.*?)```", section(heading), re.DOTALL)


def recent() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


class Copy:
    """A copy of the app, to be changed as the guide says and run on a database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tracelib", "pages", ".streamlit"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "Home.py", folder)

    def add(self, path: str, line: str, added: str) -> None:
        """Add lines below this one, which the file has once."""
        self.replace(path, line, line + added)

    def replace(self, path: str, line: str, by: str) -> None:
        """Replace this line, which the file has once."""
        file = self.folder / path
        assert file.read_text().count(line) == 1
        file.write_text(file.read_text().replace(line, by))

    def write(self, path: str, text: str) -> None:
        """Write a new file."""
        assert not (self.folder / path).exists()
        (self.folder / path).write_text(text)

    def run(self, script: str, url: str) -> list[Any]:
        """What the script prints on this database: each line a value of JSON."""
        shown = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.folder,
            env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr[-3_000:]
        return [json.loads(line) for line in shown.stdout.splitlines()]


@pytest.fixture
def copy(tmp_path) -> Copy:
    return Copy(tmp_path / "copy")


OPEN_HOME = """
import json
from pathlib import Path
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(Path("Home.py").absolute(), default_timeout=120)
app.query_params["refresh"] = "off"
app.run()
"""
OPEN_OVERVIEW = f"""{OPEN_HOME}
app.switch_page("pages/Overview.py").run()
assert not app.exception, app.exception
"""
SHOW_FIGURES = f"""{OPEN_OVERVIEW}
from tracelib.spendlogs.figures import METRICS
print(json.dumps([[one.label, one.value, one.proto.delta_description] for one in app.metric]))
print(json.dumps("cost_per_request_usd" in METRICS))
app.switch_page("pages/Models.py").run()
assert not app.exception, app.exception
tables = [one.value for one in app.dataframe if "cost_per_request_usd" in one.value]
print(json.dumps([list(one["cost_per_request_usd"]) for one in tables]))
"""
SHOW_FILTER = f"""{OPEN_HOME}
from tracelib.api.params import Chosen
app.query_params["deployment"] = ["b"]
app.switch_page("pages/Overview.py").run()
assert not app.exception, app.exception
print(json.dumps([one.options for one in app.multiselect if one.label == "Deployment"]))
print(json.dumps([one.value for one in app.metric if one.label == "Requests"]))
print(json.dumps("deployment" in Chosen.model_fields))
"""
SHOW_NAMES = f"""{OPEN_HOME}
print(json.dumps([one.options for one in app.multiselect if one.label == "Deployment"]))
app.query_params["q"] = "bee"
app.switch_page("pages/Sessions.py").run()
assert not app.exception, app.exception
(table,) = (one.value for one in app.dataframe)
print(json.dumps(len(table)))
"""
SHOW_LAST_CHART = f"""{OPEN_OVERVIEW}
print(json.dumps([one.value for one in app.main.markdown if one.value.startswith("**")][-1]))
print(app.get("plotly_chart")[-1].proto.spec)
"""
SHOW_COLOURS = f"""{OPEN_OVERVIEW}
from streamlit import config
bars = [bar for one in app.get("plotly_chart") for bar in json.loads(one.proto.spec)["data"]]
print(json.dumps([bar["marker"]["color"] for bar in bars if bar.get("name") == "Failed"]))
print(json.dumps(config.get_option("theme.light.primaryColor")))
"""


def test_a_new_tile_and_a_new_column_take_the_lines_of_the_guide(database, copy):
    figure, total, tile, column = recipe("A new tile, in three lines")
    cards = "TILES: Mapping[str, Callable[[Totals], str]] = {\n"
    copy.add("tracelib/spendlogs/figures.py", "FIGURES: Mapping[str, Figure] = {\n", figure)
    copy.add("tracelib/overview/totals.py", "    cost_usd: float\n", total)
    copy.add("tracelib/page/overview_cards.py", cards, tile)
    copy.add("tracelib/models.py", "OF_A_MODEL = (\n", '    "cost_per_request_usd",\n')
    copy.add("tracelib/page/model_table.py", '    "cost_usd": Column.of("cost_usd"),\n', column)
    made = database(rows=[spend_log(startTime=recent(), spend=cost) for cost in (0.5, 1.0)])
    tiles, is_metric, columns = copy.run(SHOW_FIGURES, made.url)
    assert ["Cost per request", "\\$0.75", "2 requests"] in tiles
    assert is_metric
    assert columns == [[0.75]]


def test_a_new_chart_takes_the_steps_of_the_guide(database, copy):
    query, chart, lines, imports, _ = recipe("A new chart, in three steps")
    part, cards = "tracelib/page/traffic_part.py", "from tracelib.page.base.cards import chart\n"
    copy.write("tracelib/overview/end_users.py", query)
    copy.write("tracelib/charts/end_users.py", chart)
    copy.add(part, cards, imports)
    with (copy.folder / part).open("a") as page:
        page.write(lines)
    made = database(rows=[spend_log(startTime=recent(), end_user=name) for name in "abb"])
    title, figure = copy.run(SHOW_LAST_CHART, made.url)
    assert title == "**Busiest end users**"
    (bars,) = figure["data"]
    assert (figure["layout"]["yaxis"]["ticktext"], bars["x"]) == (["b", "a"], [2.0, 1.0])


def test_the_test_of_the_new_chart_passes(database, open_source, copy, monkeypatch):
    query, *_, test = recipe("A new chart, in three steps")
    written: dict[str, Any] = {}
    exec(compile(query, "end_users.py", "exec"), written)
    of_itself = "from tracelib.overview.end_users import busiest_end_users\n"
    assert of_itself in test
    exec(compile(test.replace(of_itself, ""), "test_end_users.py", "exec"), written)
    written["test_the_busiest_end_user_comes_first"](database, lambda made: open_source(made.url))


def test_a_new_filter_takes_the_line_of_the_guide(database, copy):
    line, _ = recipe("A new filter, in one line")
    copy.add("tracelib/filters.py", '    provider: tuple[str, ...] = _dimension("")\n', line)
    made = database(rows=[spend_log(startTime=recent(), model=model) for model in "abb"])
    options, requests, is_parameter = copy.run(SHOW_FILTER, made.url)
    assert options == [["b", "a"]]
    assert requests == ["2"]
    assert is_parameter


def test_the_ids_of_a_new_filter_are_shown_and_found_by_their_names(database, copy):
    line, names = recipe("A new filter, in one line")
    copy.add("tracelib/filters.py", '    provider: tuple[str, ...] = _dimension("")\n', line)
    copy.add("tracelib/schema.py", "NAMED_BY = {\n", names)
    made = database(rows=[spend_log(startTime=recent(), model=model) for model in "abb"])
    made.execute(
        'CREATE TABLE "Deployments" (id text PRIMARY KEY, alias text)',
        """INSERT INTO "Deployments" VALUES ('b', 'Bee')""",
    )
    options, sessions = copy.run(SHOW_NAMES, made.url)
    assert options == [["Bee", "a"]]
    assert sessions == 2


def test_a_colour_is_changed_in_one_line(database, copy):
    (line,) = recipe("Colours")
    copy.replace("tracelib/charts/palette.py", 'FAILURE = "#E03131"\n', line)
    light, other = 'primaryColor = "#3B5BDB"', 'primaryColor = "#0B7285"'
    copy.replace(".streamlit/config.toml", light, other)
    made = database(rows=[failure(startTime=recent()), spend_log(startTime=recent())])
    colours, primary = copy.run(SHOW_COLOURS, made.url)
    assert set(colours) == {"#9C36B5"}
    assert primary == "#0B7285"


@pytest.fixture
def opened(empty_database, fresh_caches, monkeypatch):
    """Opens Home, without a choice in the URL."""
    monkeypatch.setenv("DATABASE_URL", empty_database.url)
    return lambda: AppTest.from_file("../Home.py", default_timeout=60).run()


def test_the_interval_of_the_setting_is_the_default_and_another_is_in_the_link(opened, monkeypatch):
    (intervals,) = re.findall(r"\((`off`.*?)\)", section("Refresh"))
    for interval in re.findall(r"`(\w+)`", intervals):
        monkeypatch.setenv("TRACELIB_REFRESH", interval)
        app = opened()
        assert app.selectbox("filter refresh").value == interval
        assert "refresh" not in app.query_params
    assert interval == "5m"
    app.selectbox("filter refresh").select("10s").run()
    assert app.query_params["refresh"] == "10s"


def masked(open_page, made, patterns: str, monkeypatch) -> str:
    """What a masked session's page shows with these patterns in the setting."""
    monkeypatch.setenv("TRACELIB_REDACT", patterns)
    session = {"session": "s", "of": "k", "redacted": "yes"}
    return words(open_page("pages/Sessions.py", made.url, **session))


def test_custom_patterns_are_masked_by_their_names(database, open_page, monkeypatch):
    (patterns,) = re.findall(r"`(\{.*?\})`", section("What is masked"))
    content = "EMP-12345 opened Inc1234567, ada@example.com wrote."
    sent = {"messages": [{"role": "user", "content": content}]}
    made = database(rows=[spend_log(session_id="s", api_key="k", proxy_server_request=sent)])
    shown = masked(open_page, made, patterns, monkeypatch)
    assert "[employee] opened [ticket], [e-mail] wrote." in shown
    unnamed = json.dumps(list(json.loads(patterns).values()))
    shown = masked(open_page, made, unnamed, monkeypatch)
    assert "[own 1] opened [own 2], [e-mail] wrote." in shown


def test_another_schema_is_read_by_the_url(database, open_page):
    made = database(rows=[spend_log(startTime=recent())])
    made.execute("ALTER SCHEMA public RENAME TO llm", "CREATE SCHEMA public")
    app = open_page("pages/Overview.py", f"{made.url}&schema=llm")
    assert figures(app)["Requests"] == "1"


def test_a_view_that_excludes_rows_is_the_log(database, open_page, monkeypatch):
    (create,) = recipe("Another schema, another table", "sql")
    teams = ("team-1", "team-1", "team-2")
    made = database(rows=[spend_log(startTime=recent(), team_id=team) for team in teams])
    made.execute(create)
    monkeypatch.setenv("TRACELIB_TABLE", "TeamLogs")
    app = open_page("pages/Overview.py", made.url)
    assert figures(app)["Requests"] == "2"


def test_status_lists_optional_columns_that_a_view_lacks(database, open_page, monkeypatch):
    made = database(rows=[spend_log(startTime=recent())])
    names = made.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'LiteLLM_SpendLogs'"
    )
    columns = ", ".join(f'"{name}"' for (name,) in names if name != "litellm_call_id")
    made.execute(f'CREATE VIEW "Narrow" AS SELECT {columns} FROM "LiteLLM_SpendLogs"')
    monkeypatch.setenv("TRACELIB_TABLE", "Narrow")
    app = open_page("pages/Status.py", made.url)
    gaps = app.dataframe[0].value
    assert "litellm_call_id" in set(gaps.loc[gaps["kind"] == "column", "name"])
