"""The button that downloads a file: the same on every page, wherever the app runs.

With `asgi.py` the page fetches the file from `tracelib.files`, shows what is under way next to the
button, and why a file was refused. `Home.py` alone has no such path: Streamlit's own button makes
the file in memory, and only reports that one failed.
"""

from functools import partial
from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from tracelib.files import ID_HEADER, OFFERS, PATH, File, Tab
from tracelib.page.base import identity, persons
from tracelib.page.base.controls import PAGES

HTML = """\
<button type="button" class="file-button">
  <span class="sign" aria-hidden="true">download</span><span class="words"></span>
</button>
<p class="file-status" role="status"></p>
"""
_component = st.components.v2.component(
    "file_button",
    html=HTML,
    css=Path(__file__).with_suffix(".css").read_text("utf-8"),
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def draw(label: str, key: str, file: File, of: str = "", is_quiet: bool = False) -> None:
    """Draw a button, or one without a border, that makes and downloads the file on a click.

    `of` distinguishes what a button with this key has been drawn for.
    """
    context = get_script_run_ctx()
    if not OFFERS.is_served or context is None:
        _draw_of_streamlit(label, key, file, is_quiet)
        return
    person, _ = identity.identified()
    tab = Tab(context.session_id, persons.browser_of(st.context.cookies), person.who)
    data = {
        "id": OFFERS.add(tab, f"{key} {of}", file, partial(_is_open, context.session_id)),
        "header": ID_HEADER,
        "path": PATH,
        "pages": [title for _, title, _ in PAGES],
        "name": file.name,
        "label": label,
        "isQuiet": is_quiet,
    }
    _component(key=f"download {key}", data=data, width="content" if is_quiet else "stretch")


def _is_open(session_id: str) -> bool:
    return runtime.exists() and runtime.get_instance().is_active_session(session_id)


def _draw_of_streamlit(label: str, key: str, file: File, is_quiet: bool) -> None:
    person, installed = identity.identified()

    def made() -> bytes:
        current = persons.with_current_access(person, installed)
        return b"".join(file.make(person, current))

    st.download_button(
        label,
        made,
        file_name=file.name,
        mime=file.media_type,
        key=f"download {key}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary" if is_quiet else "secondary",
        width="content" if is_quiet else "stretch",
    )
