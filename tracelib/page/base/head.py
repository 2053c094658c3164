"""The head of a page: its title, its time range, the active filters; and the style sheet."""

from collections.abc import Callable, Iterable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tracelib.choice import Choice
from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS, Filters
from tracelib.page.base import address, copy_link
from tracelib.page.text.markdown_escape import label
from tracelib.ranges import words


def title(
    name: str, choice: Choice, filters: Filters, is_sample: bool, complaints: Iterable[str]
) -> None:
    """Draw the name of the page, its link, its range as text, and the invalid parts of the URL."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.header(name, anchor=False, width="content")
        copy_link.draw(choice, filters)
    st.caption(label(choice.in_words(filters), 200))
    if is_sample:
        st.info(
            "Sample traffic for trying out the dashboard. Set DATABASE_URL to see your own.",
            icon=":material/science:",
        )
    for complaint in complaints:
        st.warning(label(complaint, 200))


def chip_row(choice: Choice, filters: Filters) -> DeltaGenerator:
    """The place of the chips, with that of the part of the range if one is chosen."""
    row = st.container(horizontal=True, gap="xsmall")
    if choice.part is not None:
        row.button(
            label(words.between(filters.window, filters.zone), 80),
            key="chip part",
            icon=":material/close:",
            help=f"Back to: {label(choice.range.title, 80)}",
            on_click=address.change,
            kwargs={"part": None},
        )
    return row


def chips(chosen: Mapping[str, tuple[str, ...]], facets: Facets) -> None:
    """Draw a chip for each active filter; a click removes it. Nothing without filters."""
    if not chosen:
        return
    for dimension, ids in chosen.items():
        names = facets.names(dimension)
        for one in ids:
            st.button(
                f"{dimension.capitalize()}: {label(names.get(one, one), 40)}",
                key=f"chip {dimension} {one}",
                icon=":material/close:",
                help="Remove this filter",
                on_click=_without(dimension, one, ids),
            )
    st.button("Clear all", key="chip all", type="tertiary", on_click=_without_any)


def _without(dimension: str, one: str, ids: tuple[str, ...]) -> Callable[[], None]:
    rest = tuple(other for other in ids if other != one)
    return lambda: address.change(**{dimension: rest})


def _without_any() -> None:
    address.change(**dict.fromkeys(DIMENSIONS, ()))


RULES = """
<style>
[data-testid="stMainBlockContainer"] {
  max-width: 1400px; padding: 3.5rem 2.5rem 10rem;
}
[data-testid="stMetricValue"], [data-testid="stMetricDelta"], [data-testid="stCaptionContainer"] {
  font-variant-numeric: tabular-nums;
}
/* A long label wraps in a narrow tile. */
[data-testid="stMetricLabel"] p { white-space: normal; }
/* The second figure is below the change in every tile, so that the lines align. */
:has(> [data-testid="stMetricDeltaDescription"]) { flex-wrap: wrap; }
[data-testid="stMetricDeltaDescription"] { flex-basis: 100%; font-variant-numeric: tabular-nums; }
/* Captions are faint, except errors. */
[data-testid="stCaptionContainer"]:has(.stMarkdownColoredText) { opacity: 1; }
/* An open list uses the available height: all time ranges are visible. */
[data-testid="stSelectboxVirtualDropdown"] > div { max-height: inherit; }
/* Only the icon is visible; the text is for screen readers. */
[class*="st-key-csv-"] [data-testid="stMarkdownContainer"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
/* The sessions are drawn twice: cards on a narrow screen, a table elsewhere. */
.st-key-sessions-as-cards { display: none; }
.st-key-transcript { max-width: 52rem; }
/* Each paragraph of a message has the direction of its own script. */
[data-testid="stText"], [data-testid="stText"] > span,
:is([class*="st-key-role-"], [class*="st-key-history-"]) [data-testid="stMarkdown"]
  :is(p, li, h1, h2, h3, h4, h5, h6, td, th, blockquote) {
  unicode-bidi: plaintext; text-align: start;
}
[data-testid="stCode"] code { unicode-bidi: plaintext; }
[class*="st-key-role-"], [class*="st-key-history-"] {
  border-left: 3px solid #868E96; padding-left: 0.9rem;
}
/* Another version of an earlier message is indented. */
[class*="st-key-history-"] { border-left-style: dotted; margin-left: 1.5rem; }
:is([class*="st-key-role-user"], [class*="st-key-history-user"]) { border-left-color: #4C6EF5; }
:is([class*="st-key-role-assistant"], [class*="st-key-history-assistant"]) {
  border-left-color: #12B886;
}
:is([class*="st-key-role-tool"], [class*="st-key-history-tool"]) { border-left-color: #F59F00; }
.st-key-target-turn {
  background: rgba(245, 159, 0, 0.08); box-shadow: 0 0 0 0.5rem rgba(245, 159, 0, 0.08);
}
/* The jumps in a conversation stay below the header. */
[data-testid="stLayoutWrapper"]:has(> .st-key-conversation-bar) {
  position: sticky; top: 3.5rem; z-index: 50; padding: 0.3rem 0;
  background: light-dark(#FFFFFF, #14161B);
}
.st-key-conversation-jumps { row-gap: 0; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-jumps-"]) { max-width: 100%; }
[class*="st-key-jumps-"] { overflow-x: auto; scrollbar-width: thin; align-items: center; }
[class*="st-key-jumps-"] > * { flex-shrink: 0; white-space: nowrap; }
/* What is notable in a session is read as a sentence with links. */
.st-key-verdict { row-gap: 0; align-items: baseline; }
.st-key-verdict button { min-height: 1.75rem; padding: 0; text-decoration: underline; }
/* If a session is open, its menu entry is a button that looks like a link. */
.st-key-menu-sessions { margin: -0.35rem 0 -0.28rem; }
.st-key-menu-sessions button {
  padding: 0 0.5rem; min-height: 1.9rem; font-weight: 600; justify-content: flex-start;
  background: rgba(151, 166, 195, 0.2);
}
.st-key-menu-sessions button > div { justify-content: flex-start; }
@media (max-width: 1380px) {
  .st-key-tiles [data-testid="stMetricLabel"] { min-height: 2.4rem; align-items: end; }
}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 0.9rem; padding-right: 0.9rem; }
  .st-key-sessions-as-cards { display: flex; }
  .st-key-sessions-as-table, .st-key-compare-ticked { display: none; }
}
</style>
"""

# Streamlit fades what a run has not drawn again yet.
NO_FADING = """
<style>
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
</style>
"""


def apply(is_refresh: bool) -> None:
    """Narrow the content to a readable width and align the digits.

    At a refresh the previous figures stay unchanged until the new ones have arrived.
    """
    st.html(RULES + (NO_FADING if is_refresh else ""))
