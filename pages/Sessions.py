"""Which conversations were there, and what was said in them?"""

import streamlit as st

from tracelib import page
from tracelib.page import session_detail, session_list, whose_session

view = page.begin("Sessions")

if opened := session_list.opened() or whose_session.of_request(view):
    session_detail.show(view, *opened)
    st.stop()
session_list.show(view)
