"""The ledgers of LiteLLM next to each other: the log, its daily tables, and its running totals.

logged        what the log adds up to by day, owner, key, model, provider and tool
subtotals     by which cells of finished days are compared before any is read
booked        what LiteLLM has added up, and what explains differences, as of one moment
splitting     why cells differ, in classes that add up to the difference
comparison    lines by day, key, team, user and tag
detailing     which days are read in more detail
windows       what the log has of the current budget windows
reconciling   runs the queries, and puts their results together
words         all of it in sentences
"""

from tracelib.ledgers.automatic import automatic
from tracelib.ledgers.booked import booked
from tracelib.ledgers.classes import CLASSES, Amount, Class
from tracelib.ledgers.comparison import Line
from tracelib.ledgers.daily import daily_cells, daily_details
from tracelib.ledgers.logged import log_cells, log_details, logged, uncounted
from tracelib.ledgers.reconciling import Ledgers, ledgers
from tracelib.ledgers.windows import Window, logged_from

__all__ = [
    "CLASSES",
    "Amount",
    "Class",
    "Ledgers",
    "Line",
    "Window",
    "automatic",
    "booked",
    "daily_cells",
    "daily_details",
    "ledgers",
    "log_cells",
    "log_details",
    "logged",
    "logged_from",
    "uncounted",
]
