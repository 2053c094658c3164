"""How long do the pages take on 100,000 requests in the time range?

`python -m benchmarks.pages [--json FILE]` fills a database of its own (an embedded
PostgreSQL, rows of the sample traffic many times over), then runs each page twice as a
viewer would: once with nothing cached, once again at the same tick. It prints, per page:

    questions_s   all questions of the page, as its one seam asks them, wall clock
    first_run_s   the whole first run of the page, drawing included
    warm_run_s    a rerun of it, everything cached

The least of five tries is quoted, with the slowest beside it.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from benchmarks.filling import DAYS, ROWS, filled
from tracelib.page.base import view
from tracelib.querying.runner import expire_results

PAGES = ("Home.py", "pages/Overview.py", "pages/Models.py", "pages/Sessions.py", "pages/Status.py")
TRIES = 5
HOME = Path(__file__).parent.parent / "Home.py"


class Stopwatch:
    """Measures how long the seam between page and questions is busy."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        results = self.function(*arguments, **named)
        self.seconds += time.perf_counter() - started
        return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelib-benchmark-") as folder:
        os.environ["DATABASE_URL"] = url = filled(Path(folder))
        figures = {"rows_in_range": _rows_in_range(url)} | {page: measured(page) for page in PAGES}
    _print(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


def measured(page: str) -> dict[str, float]:
    """Seconds of each kind for one page: the least and the most of several tries."""
    tries = [_one_try(page) for _ in range(TRIES)]
    least = {name: round(min(one[name] for one in tries), 3) for name in tries[0]}
    most = {f"{name}_most": round(max(one[name] for one in tries), 3) for name in tries[0]}
    return least | most


def _one_try(page: str) -> dict[str, float]:
    app = AppTest.from_file(HOME, default_timeout=60)
    app.query_params.update({"range": "7d", "refresh": "off"})
    app.run()
    if page != "Home.py":
        app.switch_page(page)
    expire_results()
    stopwatch = Stopwatch(view.run_together)
    view.run_together = stopwatch  # type: ignore[assignment]
    try:
        first = _timed(app.run)
        questions = stopwatch.seconds
        warm = _timed(app.run)
    finally:
        view.run_together = stopwatch.function
    assert not app.exception, app.exception
    return {"questions_s": questions, "first_run_s": first, "warm_run_s": warm}


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _rows_in_range(url: str) -> int:
    logs = sa.table("LiteLLM_SpendLogs", sa.column("startTime"))
    week = sa.literal(timedelta(days=DAYS), sa.Interval())
    recent = logs.c.startTime >= sa.func.timezone("UTC", sa.func.now()) - week
    with sa.create_engine(url).connect() as connection:
        return connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one()


def _print(figures: dict[str, Any]) -> None:
    print(f"{figures['rows_in_range']:,} requests in the range of 7 days, of about {ROWS:,}")
    print(f"{'page':20} {'questions':>12} {'first run':>12} {'warm rerun':>12}   least (most), s")
    for page in PAGES:
        row = figures[page]
        cells = [
            f"{row[name]:.2f} ({row[name + '_most']:.2f})"
            for name in ("questions_s", "first_run_s", "warm_run_s")
        ]
        print(f"{page:20} " + " ".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    main()
