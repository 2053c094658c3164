"""Which conversations were there, and what was said in them?"""

from tracelib import page
from tracelib.page import arriving, session_detail, session_list, whose_session

with page.begin("Sessions", has_parameters=True) as view:
    arriving.arrive()
    if opened := session_list.opened() or whose_session.of_request(view):
        session_detail.show(view, *opened)
    else:
        session_list.show(view)
