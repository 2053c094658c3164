"""What needs attention: findings, each with its cause, its size, its evidence and what to do.

finding      what a finding is
hourly       figures by hour of the largest teams, users, keys and models
usual        what is usual at an hour
detection    which hours are not
merging      one event is one finding
explaining   requests, size and price
drivers      whose requests they are
anomalies, loops, of_incidents, of_budgets, of_ledgers, of_keys     the sources
sources      all sources together
"""

from tracelib.findings.drivers import drivers
from tracelib.findings.finding import Evidence, Failed, Finding, Report
from tracelib.findings.hourly import hourly
from tracelib.findings.repeating import repeated_by_keys, repeated_in_sessions
from tracelib.findings.sources import FALSE_ALARMS, MOST, RULE, report

__all__ = [
    "FALSE_ALARMS",
    "MOST",
    "RULE",
    "Evidence",
    "Failed",
    "Finding",
    "Report",
    "drivers",
    "hourly",
    "repeated_by_keys",
    "repeated_in_sessions",
    "report",
]
