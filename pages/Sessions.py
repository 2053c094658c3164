"""Which conversations were there, and what was said in them?"""

from tracelib import page
from tracelib.page import arriving, session_detail, session_list

with page.begin("Sessions", has_parameters=True) as view:
    arriving.arrive()
    if opened := session_list.opened():
        session_detail.show(view, *opened)
    else:
        session_list.show(view)
