"""Is each message shown once, whatever clients make of their histories?

`python -m benchmarks.habits [--sessions N] [--turns N] [--json FILE]` generates sessions (see
`tests/client_habits.py`): up to six habits at once, in three APIs, with and without tools. It
counts the messages that were said and those that are shown, by role. A session counts as wrong
where one of these counts differs. Time is of reading alone, on one core.
"""

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.client_habits import APIS, HABITS, Client, Habits, fitting, shown
from tracelib.conversation import transcript


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=200, help="of a session, at most")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args()
    figures = measured(chosen.sessions, chosen.turns)
    print(json.dumps(figures, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


def measured(sessions: int, turns: int) -> dict[str, Any]:
    """The figures of so many generated sessions."""
    said: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong, rows, seconds = [], 0, 0.0
    for seed in range(sessions):
        talking = client(seed, turns)
        started = time.process_time()
        told = transcript(talking.rows)
        seconds += time.process_time() - started
        counts = shown(told)
        if counts != +talking.said:
            wrong.append({"seed": seed, "habits": sorted(talking.habits.names)})
        said, found, rows = said + talking.said, found + counts, rows + len(talking.rows)
    return {
        "sessions": sessions,
        "requests": rows,
        "said": dict(said),
        "shown": dict(found),
        "wrong_sessions": wrong,
        "requests_per_second": round(rows / seconds),
    }


def client(seed: int, turns: int) -> Client:
    """The client of this seed, after its conversation."""
    chance = random.Random(seed)
    names = fitting(chance.sample(HABITS, chance.choice([1, 2, 3, 4, 6])))
    talking = Client(
        Habits(names, random.Random(seed)),
        api=chance.choice(APIS),
        has_tools=chance.random() < 0.7,
    )
    talking.converse(chance.randint(1, turns))
    return talking


if __name__ == "__main__":
    main()
