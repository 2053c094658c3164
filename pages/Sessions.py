"""Which conversations were there, and what was said in them?"""

import streamlit as st

from tracelib import page
from tracelib.page import session_detail, session_list

with page.begin("Sessions") as view:
    if opened := session_list.opened():
        session_detail.show(view, *opened)
        st.stop()
    session_list.show(view)
