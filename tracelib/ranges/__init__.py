"""Time ranges as a person chooses them: values, their titles, their URL parameters."""

from tracelib.ranges.link import (
    DEFAULT,
    LONGEST_H,
    PARAMETERS,
    PART_PARAMETERS,
    complaint,
    days_complaint,
    hours_complaint,
    part_query,
    read_part,
    read_range,
)
from tracelib.ranges.value import (
    CALENDAR,
    CUSTOM,
    DAY,
    Before,
    Between,
    Calendar,
    Last,
    NamedRange,
    Range,
    Since,
)

__all__ = [
    "CALENDAR",
    "CUSTOM",
    "DAY",
    "DEFAULT",
    "LONGEST_H",
    "PARAMETERS",
    "PART_PARAMETERS",
    "Before",
    "Between",
    "Calendar",
    "Last",
    "NamedRange",
    "Range",
    "Since",
    "complaint",
    "days_complaint",
    "hours_complaint",
    "part_query",
    "read_part",
    "read_range",
]
