"""Is the database healthy and fresh, what fails, and are the figures true?"""

from tracelib import page
from tracelib.page import status_parts
from tracelib.page.base import address

with page.begin("Status", others=[address.PART]) as view:
    status_parts.draw(view)
