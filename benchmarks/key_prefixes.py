"""Which prefixes of vendors' keys do the scanners' catalogues know that ours lacks?

`python -m benchmarks.key_prefixes SCANNERS [--write]` reads the rules of two scanners that are
kept up by others and gives a line for each new prefix; with `--write` they are added to
`tracelib/redaction/key_prefixes.tsv`. Both are MIT licensed and on PyPI, and neither is needed
to run the dashboard. Unpack them in a folder:

    pip install --no-deps --target SCANNERS kingfisher-secret-scanner credsweeper

    Betterleaks  as kingfisher-secret-scanner carries it
    CredSweeper  its rules/config.yaml

A rule counts if its expression begins with plain characters and goes on with at least ten of
those that keys are made of. Rules that need a word nearby, and those whose beginning is a word,
are left out: `tracelib.redaction.named` finds what is named as a secret.
"""

import argparse
import re
import re._constants as op
import re._parser as parser
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent.parent / "tracelib" / "redaction" / "key_prefixes.tsv"
KEY_CHARACTERS = frozenset(
    map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
)
KEY_CHARACTERS |= frozenset(map(ord, "_-./+=~!$,"))
LEAST_TAIL, LONGEST_PREFIX, MOST_BRANCHES = 10, 24, 200
# Ends in a separator, or is long enough not to begin a word.
PREFIX = re.compile(r"[A-Za-z][\w.~-]*[-_.~]|[A-Za-z][\w.~-]{3,}")
# Words, addresses, public names and encodings of JSON that catalogues know for other ends.
NOT_A_PREFIX = re.compile(
    r"bearer|basic|ntlm|https?|discord|hooks|api_|cli_|ext_|sc_|ew[0o]|W[3w]|ey|v1\.|[sS][kK]-|al-|"
    r"(?:AIDA|AIPA|ANPA|ANVA|AGPA|AROA|ASCA|APKA)$|ALTER|CREATE|INSERT|UPDATE|ApiKey|azure|poly|storage|key-|s\.|ramp_id_|mdb_sa_id_|pk_|AIK_CLIENT_"
)
# What CredSweeper looks for before a secret, in place of a word's edge.
CREDSWEEPER_EDGE = re.compile(r"^\(\?:\^\|/\|.*?\\x1B\\\[\[0-9;\]\{0,80\}m\)")
Rule = tuple[str, str]
Tree = list[tuple[Any, Any]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("scanners", type=Path, help="the folder with both packages")
    arguments.add_argument("--write", action="store_true", help="add what is new to the file")
    options = arguments.parse_args()
    new = _new(_prefixes([*_betterleaks(options.scanners), *_credsweeper(options.scanners)]))
    lines = [f"{prefix}\t{length}\t{rule}" for prefix, (length, rule) in sorted(new.items())]
    print("\n".join(lines) or "Nothing new.")
    if options.write and lines:
        with FILE.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def _betterleaks(folder: Path) -> Iterator[Rule]:
    sys.path.insert(0, str(folder))
    from kingfisher_sdk import Rules

    rules = Rules(confidence="low", cache=False)
    for known in rules.metadata():
        if known["id"].startswith("betterleaks."):
            yield known["id"], rules.detail(known["id"])["pattern"] or ""


def _credsweeper(folder: Path) -> Iterator[Rule]:
    written = (folder / "credsweeper" / "rules" / "config.yaml").read_text(encoding="utf-8")
    for rule in yaml.safe_load(written):
        if rule["type"] == "pattern":
            for pattern in rule["values"]:
                yield f"credsweeper.{rule['name']}", CREDSWEEPER_EDGE.sub("", pattern)


def _prefixes(rules: Iterable[Rule]) -> dict[str, tuple[int, str]]:
    """Of each prefix how many characters follow at least, and the rule it is from."""
    found: dict[str, tuple[int, str]] = {}
    for name, pattern in rules:
        plain = re.sub(r"\(\?[a-z]+\)", "", pattern).replace("[[:alnum:]]", "[0-9A-Za-z]")
        try:
            tree = list(parser.parse(plain.replace(r"\z", r"\Z").replace("(?(", "(?:(")))
        except re.error:
            continue
        for prefix, rest in _heads(tree):
            is_known = len(prefix) <= LONGEST_PREFIX and PREFIX.fullmatch(prefix)
            length = _tail(rest)
            if is_known and length >= LEAST_TAIL and not NOT_A_PREFIX.match(prefix):
                found.setdefault(prefix, (length, name))
    return found


def _heads(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """The plain characters an expression can begin with, each with what follows them."""
    heads = [""]
    for index, (kind, value) in enumerate(tree):
        rest = tree[index + 1 :]
        if kind is op.AT:
            continue
        if kind is op.LITERAL:
            heads = [head + chr(value) for head in heads]
        elif kind is op.IN and len(value) <= 6 and all(one is op.LITERAL for one, _ in value):
            heads = [head + chr(character) for head in heads for _, character in value]
        elif kind is op.SUBPATTERN:
            inner = list(value[3]) + rest
            yield from ((head + more, left) for head in heads for more, left in _heads(inner))
            return
        elif kind is op.BRANCH and len(heads) * len(value[1]) < MOST_BRANCHES:
            for branch in value[1]:
                inner = list(branch) + rest
                yield from ((head + more, left) for head in heads for more, left in _heads(inner))
            return
        else:
            yield from ((head, tree[index:]) for head in heads)
            return


def _tail(tree: Tree) -> int:
    """How many characters of a key follow at least, before anything else?"""
    length = 0
    for kind, value in tree:
        least = _least(kind, value)
        if least == 0 and kind not in (op.AT, op.MAX_REPEAT):
            break
        length += least
    return length


def _least(kind: Any, value: Any) -> int:
    if kind is op.LITERAL:
        return int(value in KEY_CHARACTERS)
    if kind is op.IN:
        return int(all(_is_of_keys(*one) for one in value))
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        return int(value[0]) * _tail(list(value[2]))
    if kind is op.SUBPATTERN:
        return _tail(list(value[3]))
    if kind is op.BRANCH:
        return min(_tail(list(branch)) for branch in value[1])
    return 0


def _is_of_keys(kind: Any, value: Any) -> bool:
    if kind is op.RANGE:
        return KEY_CHARACTERS.issuperset(range(value[0], value[1] + 1))
    if kind is op.CATEGORY:
        return value in (op.CATEGORY_WORD, op.CATEGORY_DIGIT)
    return kind is op.LITERAL and value in KEY_CHARACTERS


def _new(found: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """Those that begin neither with one of the file nor with a shorter one of these."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    kept = [line.split("\t")[0] for line in lines if not line.startswith("#")]
    new: dict[str, tuple[int, str]] = {}
    for prefix in sorted(found, key=lambda one: (len(one), one)):
        if not prefix.startswith(tuple(kept)):
            kept.append(prefix)
            new[prefix] = found[prefix]
    return new


if __name__ == "__main__":
    main()
