"""Moving through a conversation: to a linked message, and by keyboard.

The script is our own and fixed; a content security policy must allow `script-src blob:`, from which
Streamlit loads it. It evaluates nothing and requests nothing. It marks the viewer's search terms
without changing what is shown.
"""

import re
from pathlib import Path

import streamlit as st

KEYS = (
    ("j", "next message"),
    ("k", "previous"),
    ("n", "next failure"),
    ("p", "previous failure"),
    ("g", "first"),
    ("G", "last"),
)
HELP = "".join(f"<span><kbd>{key}</kbd> {meaning}</span>\n" for key, meaning in KEYS)
HTML = f"""
<div class="navigation">
  <button type="button" hidden>Back to the timeline</button>
  <span class="keys" aria-label="Keys">{HELP}</span>
  <span role="status"></span>
</div>
"""
STYLE = """
.navigation, .navigation .keys { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; }
.navigation { font-size: 0.8rem; }
.navigation .keys { opacity: 0.7; }
.navigation [role="status"] { font-weight: 600; }
.navigation button {
  padding: 0; border: none; background: none; font: inherit; cursor: pointer;
  color: var(--st-link-color);
}
::highlight(match) { background-color: rgba(245, 159, 0, 0.4); }
.navigation kbd {
  padding: 0 0.3rem; font-size: 0.75rem;
  border: 1px solid var(--st-border-color); border-radius: 3px;
}
[tabindex="-1"][class*="st-key-"]:focus {
  outline: 2px solid var(--st-primary-color); outline-offset: 4px; border-radius: 2px;
}
@media (hover: none) { .navigation .keys { display: none; } }
"""
_component = st.components.v2.component(
    "navigation",
    html=HTML,
    css=STYLE,
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def scroll_to(
    target_key: str | None, token: str, words: str = "", back_key: str | None = None
) -> None:
    """Bring the element with this key into view, once per token.

    Without a key nothing moves. The keyboard moves between elements whose key begins with `role-`
    (messages) and `failed-` (failures), and a line lists the keys; it is drawn here, with a way
    back to the element with `back_key`. A part that is not drawn yet is waited for. The words are
    marked everywhere in the element `transcript`.
    """
    data = {
        "target": css_class(target_key) if target_key else None,
        "token": token,
        "words": words,
        "back": css_class(back_key) if back_key else None,
    }
    _component(key="navigation", data=data)


def css_class(key: str) -> str:
    """The CSS class of the element with this key."""
    return "st-key-" + re.sub(r"[^\w-]", "-", key.strip(), flags=re.ASCII)
