"""What did our LLM traffic do, and what did it cost?"""

from tracelib import page
from tracelib.page import overview_parts
from tracelib.page.base import address

OTHERS = (address.PART, address.MEASURE, address.BY, address.PERIOD)

with page.begin("Overview", others=OTHERS) as view:
    overview_parts.draw(view)
