"""Which conversations were there, and which messages did they have?"""

from tracelib import page
from tracelib.page.listing import listing
from tracelib.page.session import detail, link_target

with page.begin("Sessions", others=None) as view:
    link_target.scroll_to_start()
    if opened := listing.opened() or link_target.session_of_request(view):
        detail.show(view, *opened)
    else:
        listing.show(view)
