"""Which changes of the code that makes the figures does no test notice?

`python -m benchmarks.mutants PART [--last-digit D]` changes one expression at a time, runs the
tests that call the changed function until one fails, and prints the changes that survive. With
`--last-digit` only every tenth change is tried: those of a function whose number ends in D.

mutmut does the work, on a copy of the tracked files in a temporary folder. It changes neither
constants of a module nor functions with a decorator, such as properties; nor does it run
doctests, so that a change that only a doctest notices survives.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
MUTMUT = Path(sys.executable).with_name("mutmut")


class Part(NamedTuple):
    """Modules, and the test files that call them; patterns of paths."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


SPENDLOGS_TESTS = (
    *("absurd_dates", "buckets", "dimensions", "documents", "facets", "figures_independent"),
    *("json_text", "keys", "links", "models", "overview", "prompt_cache_tokens", "row_ids"),
    *("rows", "scopes", "session_index", "session_rows", "session_scan", "sessions"),
    *("source", "source_schema", "status", "timeline"),
)
PARTS = {
    "windows": Part(
        ("tracelib/clock.py", "tracelib/window.py", "tracelib/filters.py", "tracelib/ranges/*.py"),
        (
            "tests/test_window.py",
            "tests/test_buckets.py",
            "tests/test_ranges.py",
            "tests/test_choice.py",
        ),
    ),
    "store": Part(("tracelib/querying/store.py",), ("tests/test_store.py", "tests/test_runner.py")),
    "conversations": Part(
        ("tracelib/conversation/threading/*.py",),
        (
            *("tests/test_conversation_*.py", "tests/test_client_habits.py"),
            "tests/test_stitching.py",
        ),
    ),
    "spendlogs": Part(
        ("tracelib/spendlogs/*.py",),
        tuple(f"tests/test_{name}.py" for name in SPENDLOGS_TESTS),
    ),
}
SETTINGS = """
[tool.mutmut]
source_paths = ["tracelib"]
only_mutate = {modules}
also_copy = {beside}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
# The tests of the unchanged code leave results in the caches of the process that runs them.
process_isolation = "forkserver"
timeout_constant = 2.0
timeout_multiplier = 2.0
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("part", choices=PARTS)
    arguments.add_argument("--last-digit", choices=list("0123456789"), default="")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy(PARTS[options.part], copy)
        wanted = f"*__mutmut_*{options.last_digit}"
        subprocess.run([MUTMUT, "run", "--max-children", "1", wanted], cwd=copy, check=False)
        outcomes = _outcomes(copy)
        for name, outcome in outcomes:
            if outcome not in ("killed", "timeout"):
                print(f"\n{name}: {outcome}\n{_change(copy, name)}")
        counted = Counter((name.partition(".x")[0], outcome) for name, outcome in outcomes)
        for (module, outcome), count in sorted(counted.items()):
            print(f"{module:50} {outcome:10} {count:5}")


def _copy(part: Part, copy: Path) -> None:
    """Copy the tracked files, and tell mutmut what to change there and what to run."""
    tracked = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "x"], cwd=copy, input=tracked.stdout, check=True)
    tests = sorted(
        str(path.relative_to(copy)) for pattern in part.tests for path in copy.glob(pattern)
    )
    beside = sorted(path.name for path in copy.iterdir() if path.name != "tracelib")
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(modules=list(part.modules), beside=beside, tests=tests))


def _outcomes(copy: Path) -> list[tuple[str, str]]:
    """The names of the changes that were tried, and what became of each, such as killed."""
    lines = _mutmut(copy, "results", "--all", "true").splitlines()
    outcomes = [line.strip().partition(": ") for line in lines if "__mutmut_" in line]
    return [(name, outcome) for name, _, outcome in outcomes if outcome != "not checked"]


def _change(copy: Path, name: str) -> str:
    lines = _mutmut(copy, "show", name).splitlines()
    return "\n".join(one for one in lines if one[:1] in "-+" and one[:3] not in ("---", "+++"))


def _mutmut(copy: Path, *arguments: str) -> str:
    command = [MUTMUT, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
