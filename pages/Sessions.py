"""Which conversations were there, and which messages did they have?"""

from tracelib import page
from tracelib.page.listing import listing
from tracelib.page.session import arriving, detail

with page.begin("Sessions", has_parameters=True) as view:
    arriving.arrive()
    if opened := listing.opened() or arriving.of_request(view):
        detail.show(view, *opened)
    else:
        listing.show(view)
