"""The table that `benchmarks.replica` prints, and what is allowed."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.replica_questions import SEARCH, Answered

PAGE = "whole page"
# By days: at most so many seconds for a question, and for a whole page.
BARS = {7: (0.15, 0.5), 30: (0.5, 1.5)}
STRAIGHT_BARS = {7: (0.5, None), 90: (3.0, None)}
SEARCH_BAR_S = 0.3
AT_LEAST = {"fill_rows_per_s": 50_000}
AT_MOST = {
    "newest_day_s": 5,
    "tick_s": 0.3,
    "bytes_per_row": 60,
    "rss_mb": 1_024,
    "rss_reading_mb": 1_024,
}
TIMES_DIRECT, TIMES_LITELLM = 10, 20


def show(
    figures: dict[str, Any], answered: Sequence[Answered], bars: dict[int, tuple[Any, ...]]
) -> None:
    """Print the figures, and each question with its bar."""
    for name, value in figures.items():
        if name != "litellm":
            print(f"{name:28}{value}{_judged(name, value)}")
    for one in figures.get("litellm", []):
        print(f"{one['endpoint']:28}{one['days']:>3} days{text(one['seconds']):>11}")
    print(f"\n{'':46}{'days':>5}{'replica':>10}{'bar':>8}{'direct':>10}{'LiteLLM':>10}")
    for one in _slowest(answered):
        _line(one, _bar(one, bars))
    missed = sum(_is_missed(one, _bar(one, bars)) for one in answered)
    print(f"{missed} of {len(answered)} missed their bar")


def _judged(name: str, value: Any) -> str:
    """The bar of this figure, if it has one, and whether it is missed."""
    if value is None:
        return ""
    least, most = AT_LEAST.get(name), AT_MOST.get(name)
    if least is not None:
        return f"  (at least {least}{'' if value >= least else ': MISSED'})"
    if most is not None:
        return f"  (at most {most}{'' if value <= most else ': MISSED'})"
    return ""


def _bar(answered: Answered, bars: dict[int, tuple[Any, ...]]) -> float | None:
    question = answered.question
    for_question, for_page = bars.get(question.days, (None, None))
    if question.name == PAGE:
        return for_page
    is_search = question.page == SEARCH and question.days == 7 and bars is BARS
    return SEARCH_BAR_S if is_search else for_question


def _slowest(answered: Sequence[Answered]) -> Iterator[Answered]:
    """All of them, but of a search in several orders only the slowest and the default."""
    orders: dict[tuple[str, int], list[Answered]] = {}
    for one in answered:
        if one.question.page == SEARCH:
            name = one.question.name.rpartition(", by ")[0]
            orders.setdefault((name, one.question.days), []).append(one)
        else:
            yield one
    for default, *others in orders.values():
        yield default
        yield max(others, key=lambda one: one.replica_s or float("inf"))


def _is_missed(answered: Answered, bar: float | None) -> bool:
    seconds = answered.replica_s
    return bar is not None and (seconds is None or seconds > bar)


def _line(answered: Answered, bar: float | None) -> None:
    one, seconds = answered.question, answered.replica_s
    print(
        f"{one.page + ': ' + one.name:46.46}{one.days:>5}{text(seconds):>10}{text(bar):>8}"
        f"{text(answered.direct_s):>10}{text(answered.litellm_s):>10}  "
        f"{'MISSED' if _is_missed(answered, bar) else '      '}{_times(answered)}"
    )


def _times(answered: Answered) -> str:
    """How many times as long do others take, and is that less than it should be?"""
    if not answered.replica_s:
        return ""
    words = ""
    for name, seconds, least in (
        ("direct", answered.direct_s, TIMES_DIRECT),
        ("LiteLLM", answered.litellm_s, TIMES_LITELLM),
    ):
        if seconds is not None:
            times = seconds / answered.replica_s
            words += f"  {name} {times:.0f} times{'' if times >= least else f' (below {least})'}"
    return words


def text(seconds: float | None) -> str:
    """Seconds in three places; a dash if there are none."""
    return "-" if seconds is None else f"{seconds:.3f} s"
