"""Costs as CSV with the column names of FOCUS 1.2, the FinOps Open Cost and Usage Specification.

Columns that FOCUS does not have begin with `x_`, as it prescribes.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tracelib.costs import Costs, CostTable
from tracelib.costs.sums import DIMENSIONS
from tracelib.export.files import BYTE_ORDER_MARK, csv_lines
from tracelib.filters import NONE
from tracelib.formatting import counted

COLUMNS = (
    *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargeDescription"),
    *("ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit"),
    *("ProviderName", "ServiceCategory", "ServiceName", "SubAccountId", "SubAccountName", "Tags"),
    *("x_GroupBy", "x_GroupId", "x_GroupName", "x_Requests"),
)
# The same for every row.
FIXED = {
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ConsumedUnit": "Tokens",
    "ServiceCategory": "AI and Machine Learning",
}
LINES_AT_ONCE = 500


def costs_csv(found: CostTable, names: Mapping[str, str]) -> Iterator[bytes]:
    """A line for each group and period with requests, from a line of column names on.

    Without tags the lines add up to the total. `names` are further names of IDs. Times are UTC; a
    period that is partly in the range ends with it. Text that a spreadsheet would run is escaped.
    """
    yield BYTE_ORDER_MARK + csv_lines([COLUMNS])
    lines: list[list[Any]] = []
    for row in _rows(found, names):
        lines.append([row.get(name, "") for name in COLUMNS])
        if len(lines) == LINES_AT_ONCE:
            yield csv_lines(lines)
            lines = []
    yield csv_lines(lines)


def _rows(found: CostTable, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for group in found.groups:
        name = names.get(group.id or "", group.name or NONE)
        yield from _of_group(found, group.costs, _group(found.by, group.id, name))
    if found.others:
        others = counted(found.other_groups, "other")
        rest = {"x_GroupName": f"({others})", "ChargeDescription": f"({others})"}
        yield from _of_group(found, found.others, rest)


def _group(by: str, identity: str | None, name: str) -> dict[str, str]:
    """The columns of FOCUS that a group of this kind fills, and our own."""
    own = {"x_GroupId": identity or "", "x_GroupName": name, "ChargeDescription": name}
    focus = {
        "team": {"SubAccountId": identity or "", "SubAccountName": name},
        "provider": {"ProviderName": name},
        "model": {"ServiceName": name},
        "tag": {"Tags": json.dumps({identity: True} if identity else {}, ensure_ascii=False)},
    }
    tags = {"Tags": json.dumps({by: name}, ensure_ascii=False)}
    return own | focus.get(by, tags)


def _of_group(found: CostTable, costs: Costs, group: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for span, part in zip(found.spans, costs.by_period, strict=True):
        if part.requests:
            yield {
                **FIXED,
                **group,
                "BilledCost": _plain(part.cost_usd),
                "ChargePeriodStart": _utc(span.start),
                "ChargePeriodEnd": _utc(span.end),
                "ConsumedQuantity": part.tokens,
                "x_GroupBy": DIMENSIONS[found.by][0],
                "x_Requests": part.requests,
            }


def _plain(usd: Decimal) -> Decimal:
    """The same number without the zeros that its column in the database adds.

    >>> _plain(Decimal("1.500000000000000")), _plain(Decimal("20.000"))
    (Decimal('1.5'), Decimal('20'))
    """
    short = usd.normalize()
    return short if short.as_tuple().exponent < 1 else short.quantize(Decimal(1))  # type: ignore[operator]


def _utc(moment: datetime) -> str:
    """
    >>> _utc(datetime(2026, 11, 23, 12, tzinfo=UTC))
    '2026-11-23T12:00:00Z'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
