"""What did our LLM traffic do, and what did it cost?"""

from tracelib import page
from tracelib.page import overview_parts
from tracelib.page.base import address

with page.begin("Overview", others=[address.PART, address.MEASURE]) as view:
    overview_parts.draw(view)
