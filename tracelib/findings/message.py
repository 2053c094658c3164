"""A message about new findings, as Slack and those that copy it take one."""

from collections.abc import Sequence
from urllib.parse import urlencode

from tracelib import formatting
from tracelib.findings.finding import Evidence, Finding
from tracelib.redaction import ALL, masked
from tracelib.signs import one_line

LONGEST = 300


def message(new: Sequence[Finding], public_url: str | None) -> dict[str, str]:
    """The message about these findings: names, money and what to do, and never a prompt.

    E-mail addresses and keys in names are masked, and a user has no name. With the public address
    of the app, each has a link.
    """
    head = f"{formatting.counted(len(new), 'new finding')} in LLM traffic"
    return {"text": "\n".join([head, *(_line(one, public_url) for one in new)])}


def _line(one: Finding, public_url: str | None) -> str:
    money = "" if one.usd is None else f"{formatting.money(one.usd)}: "
    since = "" if one.since is None else f" Since {one.since:%-d %b %H:%M} UTC."
    text = f"• {money}{_plain(one.public_headline)}.{since} {_plain(one.remedy)}"
    if public_url is None or one.evidence is None:
        return text
    return f"{text}\n{link(one.evidence, public_url)}"


def link(one: Evidence, public_url: str = "") -> str:
    """The address of the page with its range and filters."""
    return f"{public_url}/{one.page}?{urlencode(one.query(), doseq=True)}"


def _plain(text: str) -> str:
    """On one line, masked, and without what Slack would read as a mention or a link."""
    short = formatting.shortened(masked(one_line(text), ALL)[0], LONGEST)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
