"""The head of a page: what it is, which range it shows, and the filters that are on."""

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from tracelib.facets import Facets
from tracelib.filters import DIMENSIONS
from tracelib.page import address
from tracelib.page.safe import label


def title(name: str, time_range: str, is_sample: bool, complaints: Iterable[str]) -> None:
    """Draw the name of the page, its range in words, and what the URL said in vain."""
    st.header(name, anchor=False)
    st.caption(label(time_range, 200))
    if is_sample:
        st.info(
            "Sample traffic for trying out the dashboard. Set DATABASE_URL to see your own.",
            icon=":material/science:",
        )
    for complaint in complaints:
        st.warning(label(complaint, 200))


def chips(chosen: Mapping[str, tuple[str, ...]], facets: Facets) -> None:
    """Draw a chip for each filter that is on; a click removes it. Nothing where none is."""
    if not chosen:
        return
    with st.container(horizontal=True, gap="xsmall"):
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
