"""A page for the browser tests: the texts of a file, each as the formatted view shows it."""

import json
import os
from pathlib import Path

import streamlit as st

from tracelib.page.defused import defused

for number, text in enumerate(json.loads(Path(os.environ["TEXTS"]).read_text("utf-8"))):
    with st.container(key=f"text-{number}"):
        st.markdown(defused(text), anchors=False)
