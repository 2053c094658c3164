"""The URL as the page's state: choices are written to it and read from it.

Streamlit forgets widgets on a change of page, and binds only shown widgets to the URL. So the
choice is one value under one key, written to the URL after each change; the links of the menu
include it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from tracelib.choice import PARAMETERS, Choice, read_choice
from tracelib.selection import RowId

CHOICE = "choice"
URL_READ = "choice parameters of the URL"
COMPLAINTS = "complaints about the URL"
AFTER = "after"
# The parameters of a session's page: which session, which second one, and the position in it.
SESSION, OF_KEY, PAGE, REQUEST = "session", "of", "page", "request"
MESSAGE = "message"
WITH, WITH_OF, DIFF = "with", "with_of", "diff"
FORMATTED, REDACTED, JOINED = "formatted", "redacted", "joined"
# Which part of a page is shown.
PART = "part"
# Which figure of that part.
MEASURE = "measure"
# By what costs are grouped, and in which periods.
BY, PERIOD = "by", "period"
# Whether the list shows a message snippet of each session.
SNIPPETS = "words"
# How often the viewer moved to another position in the open session.
MOVES = "moves in the session"
ON = "yes"
# The longest position in the list has 16,000.
LONGEST_LINK = 32_000
COMPARISON_AND_POSITION = (WITH, WITH_OF, PAGE, REQUEST, MESSAGE, DIFF)
SESSION_PARAMETERS = (SESSION, OF_KEY, JOINED, *COMPARISON_AND_POSITION)


def read(is_again: bool = False) -> tuple[Choice, tuple[str, ...]]:
    """The choice in the URL, and which of its parts are not valid.

    The URL names only the valid ones afterwards. A page that is drawn again, since late results
    have come, shows the complaints of the run before.
    """
    complaints = _without_an_endless_link()
    parameters = _choice_parameters()
    if CHOICE in st.session_state and st.session_state.get(URL_READ) == parameters:
        choice: Choice = st.session_state[CHOICE]
        if is_again:
            return choice, st.session_state.get(COMPLAINTS, ())
    else:
        choice, others = read_choice(parameters)
        complaints += others
    st.session_state[CHOICE], st.session_state[COMPLAINTS] = choice, complaints
    return choice, complaints


def _without_an_endless_link() -> tuple[str, ...]:
    """Clear a URL with more in it than a page can write there, and say so in a sentence."""
    values = (value for name in st.query_params for value in st.query_params.get_all(name))
    if sum(map(len, values)) <= LONGEST_LINK:
        return ()
    st.query_params.clear()
    return (f"Ignored the link: it has more than {LONGEST_LINK:,} characters.",)


def write(choice: Choice, others: Collection[str] | None) -> None:
    """Write this choice to the URL; of other parameters only these stay, or all for None."""
    parameters = parameters_with(choice, others)
    if parameters != {name: st.query_params.get_all(name) for name in st.query_params}:
        _write_url(parameters)
    st.session_state[URL_READ] = _choice_parameters()


def parameters_with(choice: Choice, others: Collection[str] | None) -> dict[str, list[str]]:
    """The parameters of the URL with this choice, and of others these, or all for None."""
    every = _without(*PARAMETERS)
    stay = {name: values for name, values in every.items() if others is None or name in others}
    return {**stay, **choice.to_query()}


def change(**changes: Any) -> None:
    """Change the choice; for callbacks, which run before the page does.

    Another range has no part of the one before.
    """
    before: Choice = st.session_state[CHOICE]
    if "range" in changes:
        before = before.with_range(changes["range"])
    st.session_state[CHOICE] = replace(before, **changes)
    # Another choice is another list, which begins with its first page.
    if AFTER in st.query_params:
        _write_url(_without(AFTER))


def from_widget(
    key: str, field: str, read_value: Callable[[Any], Any] = lambda value: value
) -> None:
    """Take over the value of a widget."""
    change(**{field: read_value(st.session_state[key])})


def opened() -> tuple[tuple[str, ...], ...]:
    """What the URL opens: a session and a second one, or a page of the list.

    The same at any position in it.
    """
    return tuple(
        tuple(st.query_params.get_all(name)) for name in (SESSION, OF_KEY, WITH, WITH_OF, AFTER)
    )


def open_session(session_id: str, api_key: str, row: RowId | None = None) -> None:
    """Open a session in the URL, optionally at a request; for callbacks."""
    _open_at_start(_without(*SESSION_PARAMETERS) | of_session(session_id, api_key, row))


def of_session(session_id: str, api_key: str, row: RowId | None = None) -> dict[str, list[str]]:
    """The parameters that open this session, optionally at this request."""
    position = {REQUEST: [row.written()]} if row else {}
    return {SESSION: [session_id], OF_KEY: [api_key], **position}


def open_pair(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Open two sessions in the URL, each by its ID and key, for comparison."""
    (one, of_one), (other, of_other) = first, second
    pair = {SESSION: [one], OF_KEY: [of_one], WITH: [other], WITH_OF: [of_other]}
    _open_at_start(_without(*SESSION_PARAMETERS) | pair)


def close_session() -> None:
    """Close the session in the URL, and keep the search; for callbacks.

    A link does not work: within one page it changes what is shown but not the URL.
    """
    _open_at_start(_without(*SESSION_PARAMETERS))


def search_id(some_id: str) -> None:
    """Close the session in the URL, and search for this ID in the list; for callbacks."""
    _open_at_start({**_without(*SESSION_PARAMETERS, "id"), "id": [some_id]})


def open_request(row: str, message: str | None = None) -> None:
    """Go to this request of the open session in the URL, or to a message of it; for callbacks.

    `row` is what `RowId.written` returns, `message` what the page writes for one.
    """
    position = {REQUEST: [row]} | ({MESSAGE: [message]} if message else {})
    _move_within({**_without(PAGE, MESSAGE, DIFF), **position})


def open_page(page: int) -> None:
    """Go to this page of the transcript in the URL; for callbacks."""
    _move_within({**_without(REQUEST, MESSAGE, DIFF), PAGE: [str(page)]})


def open_diff(before: RowId, after: RowId) -> None:
    """Open the comparison of two requests in the URL; for callbacks."""
    _write_url({**_without(DIFF), DIFF: [before.written(), after.written()]})


def open_second(session_id: str, api_key: str | None) -> None:
    """Open a second session in the URL, to compare it with the first; for callbacks."""
    key = {} if api_key is None else {WITH_OF: [api_key]}
    _open_at_start({**_without(*COMPARISON_AND_POSITION), WITH: [session_id], **key})


def close_second() -> None:
    """Close the second session in the URL; for callbacks."""
    _open_at_start(_without(*COMPARISON_AND_POSITION))


def close(*names: str) -> None:
    """Remove these parameters from the URL; for callbacks."""
    _write_url(_without(*names))


def moves() -> int:
    """How often did the viewer move within the open session? 0 if it was just opened."""
    return int(st.session_state.get(MOVES, 0))


def part(names: Iterable[str]) -> str:
    """Which of these parts does the URL name? The first if none."""
    known = {name.lower(): name for name in names}
    return known.get(st.query_params.get(PART, "").lower(), next(iter(known.values())))


def open_part(name: str, default: str) -> None:
    """Open this part of the page in the URL; for callbacks."""
    named = {} if name == default else {PART: [name.lower()]}
    _write_url({**_without(PART), **named})


def value_of(name: str, values: Iterable[str]) -> str:
    """Which of these values does the parameter of the URL have? The first if none."""
    known = list(values)
    chosen = st.query_params.get(name, "")
    return chosen if chosen in known else known[0]


def set_value(name: str, value: str, default: str) -> None:
    """Set this parameter in the URL, or remove it for the default; for callbacks."""
    _write_url({**_without(name), **({name: [value]} if value != default else {})})


def is_on(name: str) -> bool:
    """Is this parameter on in the URL?"""
    return bool(st.query_params.get(name) == ON)


def one_of(name: str, values: Iterable[str], default: str) -> str:
    """The value of this parameter in the URL, if it is one of these, else the default."""
    value = st.query_params.get(name, default)
    return value if value in values else default


def assign_from_widget(key: str, name: str) -> None:
    """Set this parameter in the URL to the value of a widget; for callbacks."""
    _write_url({**_without(name), name: [str(st.session_state[key])]})


def switch(name: str, is_on: bool) -> None:
    """Set this parameter in the URL, or remove it; for callbacks."""
    _write_url({**_without(name), **({name: [ON]} if is_on else {})})


def parameters_of(choice: Choice, **more: Any) -> Mapping[str, Any]:
    """The query that leads to this choice on another page."""
    return choice.to_query() | more


def _without(*names: str) -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params if name not in names}


def _open_at_start(query: dict[str, list[str]]) -> None:
    """Open something else, at its start."""
    st.session_state[MOVES] = 0
    _write_url(query)


def _move_within(query: dict[str, list[str]]) -> None:
    """Move to a position of the open session; a repeated move counts, too."""
    st.session_state[MOVES] = moves() + 1
    _write_url(query)


def _write_url(query: dict[str, list[str]]) -> None:
    """Change the URL in one step: each step is an entry in the browser's history."""
    st.query_params.from_dict(query)


def _choice_parameters() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params if name in PARAMETERS}
