"""One format for each kind of figure: money, counts, tokens, durations, shares, ages.

Every function takes None for unknown and writes an en dash for it, never a zero.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from zoneinfo import ZoneInfo

UNKNOWN = "–"


class Kind(Enum):
    """The kind of a value: its unit, and how it is written."""

    TEXT = "text"
    COUNT = "whole numbers"
    MONEY = "US dollars"
    DURATION = "milliseconds"
    SHARE = "0 to 1"
    RATE = "a second"
    MOMENT = "aware times"

    @property
    def is_number(self) -> bool:
        """Can a figure have this kind?"""
        return self not in (Kind.TEXT, Kind.MOMENT)

    def headline(self, value: float | None) -> str:
        """A figure in a headline: large counts are shortened.

        >>> Kind.COUNT.headline(128_400), Kind.SHARE.headline(0.042), Kind.MONEY.headline(None)
        ('128k', '4.2 %', '–')
        """
        return count(value) if self is Kind.COUNT else self.written(value)

    def written(self, value: float | None) -> str:
        """A figure in a table.

        >>> Kind.COUNT.written(128_400), Kind.DURATION.written(840), Kind.RATE.written(48.26)
        ('128,400', '840 ms', '48 /s')
        """
        writers = {
            Kind.COUNT: exact,
            Kind.MONEY: money,
            Kind.DURATION: duration,
            Kind.SHARE: share,
            Kind.RATE: rate,
        }
        return writers[self](value)

    def exact(self, value: float | None) -> str:
        """A figure with all its digits, as far as anyone needs them.

        >>> Kind.COUNT.exact(128_400), Kind.MONEY.exact(1.4e-7), Kind.SHARE.exact(None)
        ('128,400', '$0.00000014', '–')
        """
        return exact_money(value) if self is Kind.MONEY else self.written(value)


def count(value: float | None) -> str:
    """
    >>> [count(v) for v in (None, 0, 999, 18204, 99_999, 128_400, 1_240_000, 2_310_657_462)]
    ['–', '0', '999', '18,204', '99,999', '128k', '1.24 M', '2.31 B']
    """
    if value is None:
        return UNKNOWN
    if abs(value) < 100_000:
        return f"{value:,.0f}"
    if abs(value) < 999_500:
        return f"{value / 1_000:.0f}k"
    if abs(value) < 999_500_000:
        return f"{_three_digits(value / 1_000_000)} M"
    return f"{_three_digits(value / 1_000_000_000)} B"


def exact(value: float | None) -> str:
    """
    >>> exact(1240000), exact(None)
    ('1,240,000', '–')
    """
    return UNKNOWN if value is None else f"{value:,.0f}"


def money(usd: float | None) -> str:
    """Two significant digits below a dollar, and $0 only for zero.

    >>> [money(v) for v in (None, 0, 1.4e-7, 0.0000042, 0.00002, 0.02298300, 0.0999, 0.5, 0.996)]
    ['–', '$0', '< $0.000001', '$0.0000042', '$0.00002', '$0.023', '$0.10', '$0.50', '$1.00']
    >>> [money(v) for v in (1.24, 99.996, 1240.4, 1_240_000, -0.00028, -4e-7)]
    ['$1.24', '$100', '$1,240', '$1.24 M', '-$0.00028', '> -$0.000001']
    """
    if usd is None:
        return UNKNOWN
    if -0.000_001 < usd < 0:
        return "> -$0.000001"
    if usd < 0:
        return f"-{money(-usd)}"
    if usd == 0:
        return "$0"
    if usd < 0.000_001:
        return "< $0.000001"
    if usd < 0.995:
        digits, exponent = f"{usd:.1e}".split("e")
        # No trailing zeros except in cents.
        decimals = max(2, -int(exponent) + (not digits.endswith("0")))
        return f"${usd:.{decimals}f}"
    if usd < 99.995:
        return f"${usd:,.2f}"
    return f"${usd:,.0f}" if usd < 999_500 else f"${_three_digits(usd / 1_000_000)} M"


def exact_money(usd: float | None) -> str:
    """
    >>> [exact_money(v) for v in (None, 0.0, 1.4e-7, 0.022983, 1240.5)]
    ['–', '$0', '$0.00000014', '$0.022983', '$1,240.5']
    """
    return UNKNOWN if usd is None else f"${Decimal(repr(float(usd))).normalize():,f}"


def duration(milliseconds: float | None) -> str:
    """
    >>> [duration(v) for v in (None, 0, 0.4, 840, 999.6, 1_230)]
    ['–', '0 ms', '0.4 ms', '840 ms', '1.0 s', '1.2 s']
    >>> [duration(v) for v in (59_900, 200_000, 5_400_000, 2e8)]
    ['59.9 s', '3 min 20 s', '1 h 30 min', '2 d 7 h']
    """
    if milliseconds is None:
        return UNKNOWN
    if 0 < milliseconds < 1:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1_000:.1f} s"
    return _in_two_units(round(milliseconds / 1_000))


def share(value: float | None) -> str:
    """
    >>> [share(v) for v in (None, 0, 0.0004, 0.042, 0.5, 0.9996, 1)]
    ['–', '0 %', '< 0.1 %', '4.2 %', '50.0 %', '> 99.9 %', '100 %']
    """
    if value is None:
        return UNKNOWN
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.9995 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.1f} %"


def rate(per_second: float | None) -> str:
    """
    >>> rate(48.26), rate(None)
    ('48 /s', '–')
    """
    if per_second is None:
        return UNKNOWN
    return f"{per_second:.0f} /s" if per_second >= 10 else f"{per_second:.1f} /s"


def size(value_bytes: float | None) -> str:
    """
    >>> [size(v) for v in (None, 512, 4_100, 16_000_000, 11_811_160_064)]
    ['–', '512 B', '4.1 kB', '16 MB', '11.8 GB']
    """
    if value_bytes is None:
        return UNKNOWN
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value_bytes >= factor:
            amount = value_bytes / factor
            return f"{amount:.1f} {unit}" if unit != "MB" else f"{amount:.0f} {unit}"
    return f"{value_bytes:.0f} B"


def change(now: float | None, before: float | None) -> str | None:
    """The change of a figure in percent; None if there is nothing to compare with.

    >>> change(120, 100), change(90, 100), change(5, 0), change(100, 100), change(900, 10)
    ('+20.0 %', '-10.0 %', None, '0 %', '× 90')
    """
    if now is None or not before:
        return None
    ratio = now / before - 1
    if ratio == 0:
        return "0 %"
    return f"{ratio * 100:+.1f} %" if ratio < 10 else f"× {now / before:.0f}"


def age(since: datetime, now: datetime) -> str:
    """The time since then, as text.

    >>> now = datetime(2026, 11, 23, 12)
    >>> [age(now - timedelta(seconds=s), now) for s in (-5, 2, 12, 200, 4_000, 200_000)]
    ['just now', 'just now', '12 s ago', '3 min ago', '1 h ago', '2 d ago']
    """
    seconds = (now - since).total_seconds()
    if seconds < 3:
        return "just now"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def clock(moment: datetime | None, zone: str) -> str:
    """
    >>> from datetime import UTC
    >>> clock(datetime(2026, 11, 23, 12, 5, 9, tzinfo=UTC), "Europe/Paris")
    '23 Nov 2026 13:05:09'
    """
    if moment is None:
        return UNKNOWN
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y %H:%M:%S}"


def offset(local: datetime) -> str:
    """How far is an aware local time ahead of UTC?

    >>> paris, kolkata = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")
    >>> offset(datetime(2026, 7, 1, tzinfo=paris)), offset(datetime(2026, 7, 1, tzinfo=kolkata))
    ('UTC+2', 'UTC+5:30')
    """
    minutes = int((local.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"


def counted(count: int, one: str, several: str | None = None) -> str:
    """
    >>> counted(1, "message"), counted(2_000, "message"), counted(2, "retry", "retries")
    ('1 message', '2,000 messages', '2 retries')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def shortened(text: str, length: int = 40) -> str:
    """
    >>> shortened("a" * 50, 10), shortened("short")
    ('aaaaaaaaa…', 'short')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _three_digits(value: float) -> str:
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def _in_two_units(seconds: int) -> str:
    for large, small, length, part in (
        ("d", "h", 86_400, 3_600),
        ("h", "min", 3_600, 60),
        ("min", "s", 60, 1),
    ):
        if seconds >= length:
            return f"{seconds // length} {large} {seconds % length // part} {small}"
    return f"{seconds} s"
