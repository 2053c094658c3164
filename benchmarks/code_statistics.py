"""How large is the code, how is it cut, and how many calls lie between a page and its SQL?

`python -m benchmarks.code_statistics [--json FILE] [FOLDER]` reads the package `tracelib` of a
checkout, this one by default, and prints

    modules        how many, the median and the longest, in lines
    functions      how many, the median, the ninth decile and the longest, in lines
    docstrings     the share of public functions and classes that have one
    Any            how often the name stands in an annotation or elsewhere
    stores         decorators that keep what a function gave, and instances of Store
    UI strings     bytes of literal text in pages, page and errors, to compare two checkouts
    hops           for this checkout only: calls within tracelib from a page to the statement it
                   sends, on both sides of the thread that sends it, for the figures of Overview
                   and the list of sessions (on the sample traffic)
"""

import argparse
import ast
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from types import FrameType
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
KEEPERS = {"cache", "lru_cache", "cache_data", "cache_resource", "cached_property"}
SHOWN = ("pages", "tracelib/page", "tracelib/errors.py", "tracelib/formatting.py")
WALKS = {
    "figures of Overview": ("pages/Overview.py", "totals"),
    "list of sessions": ("pages/Sessions.py", "found_sessions"),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = statistics_of(options.folder)
    if options.folder == ROOT:
        figures |= hops()
    for name, value in figures.items():
        print(f"{name:36} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def statistics_of(folder: Path) -> dict[str, Any]:
    """The figures of the code in this folder."""
    paths = sorted((folder / "tracelib").rglob("*.py"))
    modules = {path: path.read_text("utf-8") for path in paths}
    trees = {path: ast.parse(text) for path, text in modules.items()}
    lines = [len(text.splitlines()) for text in modules.values()]
    functions = [one for tree in trees.values() for one in ast.walk(tree) if _is_function(one)]
    lengths = sorted(one.end_lineno - one.lineno + 1 for one in functions)
    named = [one for tree in trees.values() for one in _public(tree)]
    return {
        "modules": len(modules),
        "module lines, median": median(lines),
        "module lines, longest": max(lines),
        "functions": len(functions),
        "function lines, median": median(lengths),
        "function lines, ninth decile": round(quantiles(lengths, n=10)[-1], 1),
        "function lines, longest": lengths[-1],
        "public with docstring, percent": _percent(named),
        "Any": sum(_is_any(one) for tree in trees.values() for one in ast.walk(tree)),
        "stores": sum(_is_store(one) for tree in trees.values() for one in ast.walk(tree)),
        "UI strings, bytes": sum(map(len, _shown(folder))),
    }


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, Function)


def _public(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _percent(named: list[Function | ast.ClassDef]) -> float:
    return round(100 * sum(bool(ast.get_docstring(one)) for one in named) / len(named), 1)


def _is_any(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "Any"


def _is_store(node: ast.AST) -> bool:
    if isinstance(node, Function):
        parts = [part for one in node.decorator_list for part in ast.walk(one)]
        return any(getattr(part, "id", getattr(part, "attr", "")) in KEEPERS for part in parts)
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id == "Store"


def _shown(folder: Path) -> Iterator[bytes]:
    """Literal texts of more than one word, without docstrings."""
    for place in SHOWN:
        path = folder / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            tree = ast.parse(file.read_text("utf-8"))
            docs = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, Function | ast.ClassDef | ast.Module)
                and ast.get_docstring(node)
            }
            for node in ast.walk(tree):
                is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
                if is_text and id(node) not in docs and " " in node.value:
                    yield node.value.encode()


def hops() -> dict[str, int]:
    """How many functions of tracelib lie between each page and its statement?"""
    with tempfile.TemporaryDirectory(prefix="tracelib-statistics-") as folder:
        os.environ["TRACELIB_SAMPLE_FOLDER"] = folder
        os.environ.pop("DATABASE_URL", None)
        return {f"hops, {name}": _walked(*walk) for name, walk in WALKS.items()}


def _walked(page: str, query: str) -> int:
    """Calls before the thread that asks this question, and within it up to the first statement."""
    from streamlit.testing.v1 import AppTest

    before: dict[str, int] = {}
    within: dict[str, int] = {}
    submit = ThreadPoolExecutor.submit

    def noted(pool: ThreadPoolExecutor, work: Any, /, *given: Any, **named: Any) -> Any:
        names = [one.name for one in given if hasattr(one, "description")]
        before.update(dict.fromkeys(names, len(_frames())))
        return submit(pool, work, *given, **named)

    def sent(*_: Any) -> None:
        queries = [frame.f_locals.get("query") for frame in _frames()]
        name = next((one.name for one in queries if hasattr(one, "description")), "")
        within.setdefault(name, len(_frames()))

    sa.event.listen(sa.Engine, "before_cursor_execute", sent)
    with patch.object(ThreadPoolExecutor, "submit", noted):
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=300)
        app.query_params.update({"refresh": "off"})
        app.switch_page(page).run()
    sa.event.remove(sa.Engine, "before_cursor_execute", sent)
    (name,) = (one for one in within if one.rpartition(".")[2] == query)
    return before[name] + within[name]


def _frames() -> list[FrameType]:
    """The calls of tracelib's functions, and of pages, that led here."""
    found, frame = [], sys._getframe(1)
    while frame:
        path = frame.f_code.co_filename
        if f"{ROOT}/tracelib/" in path or f"{ROOT}/pages/" in path:
            found.append(frame)
        frame = frame.f_back
    return found


if __name__ == "__main__":
    main()
