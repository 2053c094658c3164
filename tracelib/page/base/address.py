"""The URL as the page's memory: what is chosen is written there, and read from there.

Streamlit forgets widgets on a change of page, and binds only what a widget shows. So the
choice is one value, kept under one key, written to the URL after each change; the links of
the menu carry it along.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from tracelib.choice import PARAMETERS, Choice, read_choice
from tracelib.selection import RowId

CHOICE = "choice"
SAID = "said in the URL"
PLACE = "after"
# What a session's page is opened with: which session, beside which other one, and where in it.
SESSION, OF_KEY, PAGE, REQUEST = "session", "of", "page", "request"
WITH, WITH_OF, DIFF = "with", "with_of", "diff"
FORMATTED, REDACTED, JOINED = "formatted", "redacted", "joined"
# Whether the list shows a line of what was said in each session.
WORDS = "words"
# How often the reader went to another place of the session that is open.
MOVES = "moves in the session"
YES = "yes"
PLACES_BESIDE = (WITH, WITH_OF, PAGE, REQUEST, DIFF)
OF_A_SESSION = (SESSION, OF_KEY, JOINED, *PLACES_BESIDE)


def read() -> tuple[Choice, tuple[str, ...]]:
    """What is chosen, and which parts of the URL made no sense?"""
    said = _said()
    if CHOICE in st.session_state and st.session_state.get(SAID) == said:
        return st.session_state[CHOICE], ()
    choice, complaints = read_choice(said)
    st.session_state[CHOICE] = choice
    return choice, complaints


def write(choice: Choice, keeps_others: bool) -> None:
    """Let the URL say what is chosen, and nothing else unless the page keeps other parameters."""
    wanted = whole(choice, keeps_others)
    if wanted != {name: st.query_params.get_all(name) for name in st.query_params}:
        _say(wanted)
    st.session_state[SAID] = _said()


def whole(choice: Choice, keeps_others: bool) -> dict[str, list[str]]:
    """All parameters of the URL, as they are once it says this choice."""
    return {**(_without(*PARAMETERS) if keeps_others else {}), **choice.to_query()}


def change(**changes: Any) -> None:
    """Choose otherwise; for callbacks, which run before the page does."""
    st.session_state[CHOICE] = replace(st.session_state[CHOICE], **changes)
    # Another choice is another list, which begins at its beginning.
    if PLACE in st.query_params:
        _say(_without(PLACE))


def from_widget(
    key: str, field: str, read_value: Callable[[Any], Any] = lambda value: value
) -> None:
    """Take over what a widget shows."""
    change(**{field: read_value(st.session_state[key])})


def opened() -> tuple[tuple[str, ...], ...]:
    """What the URL opens: a session and the one beside it, or a page of the list.

    The same wherever in it the reader is.
    """
    return tuple(
        tuple(st.query_params.get_all(name)) for name in (SESSION, OF_KEY, WITH, WITH_OF, PLACE)
    )


def open_session(session_id: str, api_key: str, row: RowId | None = None) -> None:
    """Let the URL name a session, and a request in it to go to; for callbacks."""
    _arrive(_without(*OF_A_SESSION) | of_session(session_id, api_key, row))


def of_session(session_id: str, api_key: str, row: RowId | None = None) -> dict[str, list[str]]:
    """Which parameters open this session, at this request of it?"""
    place = {REQUEST: [row.written()]} if row else {}
    return {SESSION: [session_id], OF_KEY: [api_key], **place}


def open_pair(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Let the URL name two sessions, each by its id and key, to be read side by side."""
    (one, of_one), (other, of_other) = first, second
    pair = {SESSION: [one], OF_KEY: [of_one], WITH: [other], WITH_OF: [of_other]}
    _arrive(_without(*OF_A_SESSION) | pair)


def close_session() -> None:
    """Let the URL name no session, and keep the search; for callbacks.

    A link would not do: within one page it changes what is shown and not the URL.
    """
    _arrive(_without(*OF_A_SESSION))


def search_id(some_id: str) -> None:
    """Let the URL name no session, and look for this id in the list; for callbacks."""
    _arrive({**_without(*OF_A_SESSION, "id"), "id": [some_id]})


def open_request(row: str) -> None:
    """Let the URL name the request of the open session to go to; for callbacks.

    `row` is what `RowId.written` says.
    """
    _move({**_without(PAGE, DIFF), REQUEST: [row]})


def open_page(page: int) -> None:
    """Let the URL name the page of the transcript; for callbacks."""
    _move({**_without(REQUEST, DIFF), PAGE: [str(page)]})


def open_diff(before: RowId, after: RowId) -> None:
    """Let the URL name two requests to compare; for callbacks."""
    _say({**_without(DIFF), DIFF: [before.written(), after.written()]})


def open_beside(session_id: str, api_key: str | None) -> None:
    """Let the URL name a second session, to be read beside the first; for callbacks."""
    key = {} if api_key is None else {WITH_OF: [api_key]}
    _arrive({**_without(*PLACES_BESIDE), WITH: [session_id], **key})


def close_beside() -> None:
    """Let the URL name no second session; for callbacks."""
    _arrive(_without(*PLACES_BESIDE))


def close(*names: str) -> None:
    """Let the URL say no more of these; for callbacks."""
    _say(_without(*names))


def moves() -> int:
    """How often did the reader go elsewhere in what is open? 0 where it has just been opened."""
    return int(st.session_state.get(MOVES, 0))


def is_said(name: str) -> bool:
    """Does the URL say yes to this?"""
    return bool(st.query_params.get(name) == YES)


def say(name: str, is_wanted: bool) -> None:
    """Let the URL say yes to this, or nothing; for callbacks."""
    _say({**_without(name), **({name: [YES]} if is_wanted else {})})


def query_of(choice: Choice, **more: Any) -> Mapping[str, Any]:
    """Which query leads to this choice on another page?"""
    return choice.to_query() | more


def _without(*names: str) -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params if name not in names}


def _arrive(query: dict[str, list[str]]) -> None:
    """Open something else, in which nobody has moved yet."""
    st.session_state[MOVES] = 0
    _say(query)


def _move(query: dict[str, list[str]]) -> None:
    """Go to a place of what is open; once more is another move, though the URL says the same."""
    st.session_state[MOVES] = moves() + 1
    _say(query)


def _say(query: dict[str, list[str]]) -> None:
    """Change the URL in one step: each step is one the browser's way back would take."""
    st.query_params.from_dict(query)


def _said() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params if name in PARAMETERS}
