"""How right is masking, what does it find in ordinary traffic, and how fast is it?

`python -m benchmarks.masking [--json FILE] [--days N]` needs no database. Three measures:

    cases  the texts of tests/data/masking.jsonl, each with what it should become. Precision is
           the share of the placeholders given that should be there, recall the share of those
           that should be there that are given; a text that differs in anything else is listed.
    finds  what is masked in the stored bodies of the sample traffic and of true rows of LiteLLM,
           each find once, with how often and behind what, to be read: they hold addresses and
           hashes of keys, and nothing else should be found.
    speed  megabytes a second of processor time, the best of three runs: over each string of the
           traffic, over its stored bodies as JSON, and over one long text of all strings.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tracelib import demo
from tracelib.redaction import ALL, KINDS, masked

DATA = Path(__file__).parent.parent / "tests" / "data"
END = datetime(2026, 11, 23, tzinfo=UTC)
BODIES = ("proxy_server_request", "response", "messages")
BAR = 1.0  # of precision and of recall over the cases
RUNS = 3
CONTEXT = 30  # characters before a find
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(KINDS)})\]")


@dataclass(frozen=True, slots=True)
class Case:
    """A text, what it should become, and which kind of text it is an example of."""

    kind: str
    text: str
    masked: str


CASES = tuple(
    Case(**json.loads(line))
    for line in (DATA / "masking.jsonl").read_text(encoding="utf-8").splitlines()
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--days", type=int, default=4, help="of sample traffic")
    options = parser.parse_args()
    bodies = {"sample": list(sample_bodies(options.days)), "true rows": list(true_bodies())}
    texts = sorted(set(strings(map(json.loads, bodies["sample"]))))
    figures = {
        "cases": rightness(CASES),
        "finds": {name: found_in(some) for name, some in bodies.items()},
        "speed": {
            "strings": speed(texts),
            "bodies": speed(bodies["sample"]),
            "one long text": speed(["\n".join(texts)]),
        },
    }
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, default=str) + "\n")


def sample_bodies(days: int) -> Iterator[str]:
    """The stored bodies of the sample's newest days."""
    rows = demo.requests(demo.SEED, END - timedelta(days=days), END)
    return (row[body] for row in rows for body in BODIES if row.get(body))


def true_bodies() -> Iterator[str]:
    """The stored bodies of rows that LiteLLM wrote."""
    for file in sorted(DATA.glob("litellm_rows*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield from (row[body] for body in BODIES if row[body])


def strings(value: Any) -> Iterator[str]:
    """All strings in JSON, without the names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings(value.values())
    elif isinstance(value, Iterable):
        for one in value:
            yield from strings(one)


def rightness(cases: Iterable[Case]) -> dict[str, Any]:
    """Precision and recall over all placeholders, and the texts that came out wrong."""
    given, wanted, right = 0, 0, 0
    wrong = []
    for case in cases:
        text, counts = masked(case.text, ALL)
        expected = Counter(name[1:-1] for name in PLACEHOLDER.findall(case.masked))
        given += counts.total()
        wanted += expected.total()
        right += (counts & expected).total()
        if text != case.masked:
            wrong.append({"kind": case.kind, "text": case.text, "became": text})
    return {
        "precision": round(right / max(given, 1), 4),
        "recall": round(right / max(wanted, 1), 4),
        "placeholders": wanted,
        "wrong": wrong,
    }


def found_in(texts: Iterable[str]) -> dict[str, Any]:
    """How much is found of each kind; each find with how often it is there, and an example."""
    kinds, times = Counter[str](), Counter[tuple[str, str]]()
    examples: dict[tuple[str, str], str] = {}
    for text in texts:
        for kind, find, before in finds(text, masked(text, ALL)[0]):
            kinds[kind] += 1
            times[kind, find] += 1
            examples.setdefault((kind, find), before)
    lines = [
        f"{times[one]} x {one[0]} {one[1]!r} behind {examples[one]!r}" for one in sorted(times)
    ]
    return {"kinds": dict(kinds), "each": lines}


def finds(text: str, masked_text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, find and what is before it, of each placeholder: from what is kept between them."""
    at, last = 0, None
    kept = PLACEHOLDER.split(masked_text)
    for name, between in zip(["", *PLACEHOLDER.findall(masked_text)], kept, strict=True):
        start = text.find(between, at) if between else (at if last is None else len(text))
        if name:
            yield name, text[at:start], text[max(at - CONTEXT, 0) : at]
        at, last = start + len(between), name


def speed(texts: list[str]) -> float:
    """Megabytes a second of processor time: the best of a few runs."""
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    best = float("inf")
    for _ in range(RUNS):
        began = time.process_time()
        for text in texts:
            masked(text, ALL)
        best = min(best, time.process_time() - began)
    return round(size / best / 1e6, 1)


def show(figures: dict[str, Any]) -> None:
    cases = figures["cases"]
    for wrong in cases["wrong"]:
        print(f"WRONG ({wrong['kind']}): {wrong['text']!r}\n  became {wrong['became']!r}")
    for name, found in figures["finds"].items():
        print("\n".join(f"{name}: {line}" for line in found["each"]))
        print(f"{name}: {found['kinds']}")
    print(f"MB a second: {figures['speed']}")
    is_met = min(cases["precision"], cases["recall"]) >= BAR and not cases["wrong"]
    print(
        f"{len(CASES)} cases with {cases['placeholders']} finds: precision {cases['precision']}, "
        f"recall {cases['recall']}; bar ({BAR}): {'met' if is_met else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
