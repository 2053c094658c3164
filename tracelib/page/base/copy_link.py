"""The menu with the links to a page as it is shown: one that moves on, and one with fixed times."""

from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from tracelib.choice import PARAMETERS, Choice
from tracelib.filters import Filters
from tracelib.ranges import Between, words

NOTE = "A link grants no access: people who open it see what their own access allows."
HTML = """\
<div class="copy-link">
  <ul></ul>
  <p class="copy-link-status" role="status"></p>
  <p class="copy-link-note"></p>
</div>
"""
_component = st.components.v2.component(
    "copy_link",
    html=HTML,
    css=Path(__file__).with_suffix(".css").read_text("utf-8"),
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def draw(choice: Choice, filters: Filters) -> None:
    """Draw the menu. Its links have the other parameters of the URL, too."""
    with st.popover("Copy link", icon=":material/link:", type="tertiary"):
        data = {"links": links(choice, filters), "replaced": PARAMETERS, "note": NOTE}
        _component(key="copy link", data=data)


def links(choice: Choice, filters: Filters) -> list[dict[str, str]]:
    """The links to this page: the name of each, what it shows, and the parameters of its choice.

    A range that is fixed already has no link that moves on.
    """
    window = words.between(filters.window, filters.zone)
    fixed = {
        "name": "Fixed link",
        "words": f"{window}, {filters.zone}.",
        "query": urlencode(choice.fixed(filters).to_query(), doseq=True),
    }
    if isinstance(choice.shown, Between):
        return [fixed]
    whose = choice.zone or "the time zone of the browser"
    live = {
        "name": "Live link",
        "words": f"{choice.range.title} when it is opened, in {whose}.",
        "query": urlencode(choice.to_query(), doseq=True),
    }
    return [live, fixed]
