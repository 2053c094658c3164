"""What the documents promise, held against the code."""

import re
import subprocess
from pathlib import Path

import pytest

from tracelib import errors
from tracelib.quality import CHECKS
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


def test_every_setting_is_documented():
    code = (ROOT / "tracelib" / "settings.py").read_text()
    settings = set(re.findall(r'"((?:TRACELIB|LITELLM|DATABASE)_[A-Z_]+)"', code))
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert {name for name in settings if f"`{name}`" not in documented} == set()
    assert len(settings) == 28


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


def test_every_figure_is_listed_with_its_definition():
    lines = [
        f"| {figure.title} | {figure.definition} | {figure.kind.value} "
        f"| {f'`{figure.metric}`' if figure.metric else ''} | `{figure.exported}` |"
        for figure in FIGURES.values()
    ]
    listed = (ROOT / "docs" / "figures.md").read_text().splitlines()
    assert [line for line in listed if line.startswith("| ")][2:] == lines


def test_every_check_of_the_log_is_described_as_it_is_declared():
    described = (ROOT / "docs" / "data-quality.md").read_text()
    for name, one in CHECKS.items():
        head = f"### {one.title}\n\n`{name}`, of "
        texts = f"- Finds: {one.definition}\n- Does: {one.effect}\n- Remedy: {one.remedy}\n"
        assert head in described
        assert texts in described
