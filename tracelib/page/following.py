"""Moving through a conversation: to the passage that was asked for, and by key.

The script is our own and fixed; a content security policy must allow it `script-src blob:`, the
way in which Streamlit loads it. It evaluates nothing and asks for nothing.
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
STYLE = """
.following { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; font-size: 0.8rem; opacity: 0.7; }
.following kbd {
  padding: 0 0.3rem; font-size: 0.75rem;
  border: 1px solid var(--st-border-color); border-radius: 3px;
}
[tabindex="-1"][class*="st-key-"]:focus {
  outline: 2px solid var(--st-primary-color); outline-offset: 4px; border-radius: 2px;
}
@media (hover: none) { .following { display: none; } }
"""
_component = st.components.v2.component(
    "following",
    html=f'<div class="following" aria-label="Keys">\n{HELP}</div>',
    css=STYLE,
    js=Path(__file__).with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def follow(target_key: str | None, token: str) -> None:
    """Where does reading go on? Brings the element with this key into view, once per token.

    Without a key nothing moves. The keyboard moves between elements whose key begins with
    `role-` (messages) and `failed-` (failures), and a line says which key does what; it stands
    where this is called. A passage that is not drawn yet is waited for.
    """
    target = target_key and "st-key-" + re.sub(r"[^\w-]", "-", target_key.strip(), flags=re.ASCII)
    _component(key="following", data={"target": target, "token": token})
