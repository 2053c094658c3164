"""What the documents promise, held against the code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.rows import spend_log
from tracelib import errors
from tracelib.database_url import read_address
from tracelib.settings import Settings
from tracelib.source import connect
from tracelib.spendlogs.figures import FIGURES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
ENVIRONMENT = "python3 -m venv .venv && .venv/bin/pip install -r"
STARTS = f"{ENVIRONMENT} requirements.txt && .venv/bin/streamlit run Home.py"
TESTS = f"{ENVIRONMENT} requirements-dev.txt && .venv/bin/python -m pytest"
SEPARATOR = re.compile(r"&&|\||;|\$\(")
OURS = {"pip", "python", "pytest", "streamlit", "uvicorn", "ruff", "mypy", "pre-commit"}
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text()


@pytest.mark.parametrize(
    "error", errors.TraceError.__subclasses__(), ids=lambda error: error.__name__
)
def test_every_sentence_of_an_error_is_explained(error):
    assert f"| {error.sentence} |" in TROUBLESHOOTING


def test_every_setting_is_in_the_readme():
    code = (ROOT / "tracelib" / "settings.py").read_text()
    settings = set(re.findall(r'"((?:TRACELIB|LITELLM|DATABASE)_[A-Z_]+)"', code))
    assert {name for name in settings if f"`{name}`" not in README} == set()
    assert len(settings) == 13


def test_the_readme_stays_short():
    assert len(README.splitlines()) < 120


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_only_to_what_is_there(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of this document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_only_to_headings_that_exist(document):
    links = re.findall(r"\]\(([^):]*)#([^)]+)\)", document.read_text())
    places = [(document.parent / path if path else document, anchor) for path, anchor in links]
    assert [(path, anchor) for path, anchor in places if anchor not in anchors(path)] == []


def commands(document: str) -> list[str]:
    """The lines that a reader of this document pastes into a shell."""
    blocks = re.findall(r"```sh\n(.*?)```", document, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_one_line_starts_the_app_and_one_runs_the_tests():
    assert [line for line in commands(README) if line.startswith("python3")] == [STARTS, TESTS]
    assert commands(README)[0] == STARTS


def test_ci_runs_the_line_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    (pattern,) = re.findall(r"grep '(.*)' README\.md", script)
    found = subprocess.run(["grep", pattern, "README.md"], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == f"{TESTS}\n"
    assert script.splitlines()[-1].startswith('eval "$tests" ')


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_needs_an_active_environment(document):
    """Many systems' own Python installs nothing, and has no program of ours on its path."""
    parts = [part for line in commands(document.read_text()) for part in SEPARATOR.split(line)]
    words = [[word for word in part.split() if "=" not in word] for part in parts]
    assert {word for (word, *_) in filter(None, words)}.isdisjoint(OURS)


def test_no_module_grows_beyond_its_subject():
    modules = [*ROOT.glob("tracelib/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "Home.py"]
    long = {path.name: n for path in modules if (n := len(path.read_text().splitlines())) > 300}
    assert long == {}


@pytest.fixture
def connected():
    """Connects the app's own source to a database of a test."""

    def connect_to(database):
        return connect(Settings(), read_address(database.url))

    return connect_to


def recipe(heading: str) -> list[str]:
    """The blocks of Python below this heading of the guide."""
    document = (ROOT / "docs" / "customizing.md").read_text()
    (section,) = (one for one in document.split("\n## ") if one.startswith(f"{heading}\n"))
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def run_in_copy(folder: Path, changes: Iterable[tuple[str, str, str]], script: str, url: str):
    """What a script prints in a copy of the app with lines added: each a value of JSON.

    A change is a file of `tracelib`, a line that it has once, and what is added below that line.
    """
    for name in ("tracelib", "pages"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Home.py", folder)
    for place, line, added in changes:
        path = folder / "tracelib" / place
        assert path.read_text().count(line) == 1
        path.write_text(path.read_text().replace(line, line + added))
    shown = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr[-3_000:]
    return [json.loads(line) for line in shown.stdout.splitlines()]


OPEN_HOME = """
import json
from pathlib import Path
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(Path("Home.py").absolute(), default_timeout=120)
app.query_params["refresh"] = "off"
app.run()
"""
SHOW_FIGURES = f"""{OPEN_HOME}
from tracelib.spendlogs.figures import METRICS
app.switch_page("pages/Overview.py").run()
assert not app.exception, app.exception
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


def test_a_new_tile_and_a_new_column_take_the_lines_of_the_guide(database, tmp_path):
    figure, total, tile, column = recipe("A new tile, in three lines")
    changes = (
        ("spendlogs/figures.py", "FIGURES: Mapping[str, Figure] = {\n", figure),
        ("overview/totals.py", "    cost_usd: float\n", total),
        ("page/overview_cards.py", "TILES: Mapping[str, Callable[[Totals], str]] = {\n", tile),
        ("models.py", "OF_A_MODEL = (\n", '    "cost_per_request_usd",\n'),
        ("page/model_table.py", '    "cost_usd": Column.of("cost_usd"),\n', column),
    )
    recent = datetime.now(UTC) - timedelta(hours=1)
    made = database(rows=[spend_log(startTime=recent, spend=cost) for cost in (0.5, 1.0)])
    tiles, is_metric, columns = run_in_copy(tmp_path, changes, SHOW_FIGURES, made.url)
    assert ["Cost per request", "\\$0.75", "2 requests"] in tiles
    assert is_metric
    assert columns == [[0.75]]


def test_a_new_filter_takes_the_line_of_the_guide(database, tmp_path):
    (line,) = recipe("A new filter, in one line")
    above = '    provider: tuple[str, ...] = _dimension("")\n'
    recent = datetime.now(UTC) - timedelta(hours=1)
    made = database(rows=[spend_log(startTime=recent, model=model) for model in "abb"])
    changes = [("filters.py", above, line)]
    options, requests, is_parameter = run_in_copy(tmp_path, changes, SHOW_FILTER, made.url)
    assert options == [["b", "a"]]
    assert requests == ["2"]
    assert is_parameter


def test_the_example_of_a_new_chart_works_as_written(database, connected):
    written: dict = {}
    for block in recipe("A new chart, in three steps"):
        exec(compile(block, "customizing.md", "exec"), written)
    written["test_the_busiest_end_user_comes_first"](database, connected)
    frame = pd.DataFrame({"end_user": ["ada"], "requests": [3]})
    assert list(written["end_users"](frame).data[0].x) == [3.0]


def test_every_figure_is_listed_with_its_definition():
    lines = [
        f"| {figure.title} | {figure.definition} | {figure.kind.value} "
        f"| {f'`{figure.metric}`' if figure.metric else ''} | `{figure.exported}` |"
        for figure in FIGURES.values()
    ]
    listed = (ROOT / "docs" / "figures.md").read_text().splitlines()
    assert [line for line in listed if line.startswith("| ")][2:] == lines
