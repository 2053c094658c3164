"""The findings of the key review: what each means and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

# A key without a request for this long is dormant; usage is compared with what is granted as long.
DORMANT = timedelta(days=90)
# A younger key has had no time to be used.
NEW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding: its title, its meaning, and what to do."""

    title: str
    meaning: str
    remedy: str


FINDINGS: Mapping[str, FindingKind] = {
    "disabled_but_tried": FindingKind(
        "Disabled, still tried",
        "The key is blocked or expired, and requests with it still fail.",
        "Find the client by its address and user agent; give it a new key or stop it.",
    ),
    "spend_after_expiry": FindingKind(
        "Spend after expiry",
        "Requests with the key cost money after it expired.",
        "Check the proxy’s clock and cache of keys; block the key.",
    ),
    "unknown_keys": FindingKind(
        "Unknown keys fail",
        "Requests failed with keys that are in no table: mistyped, guessed, or replaced at a "
        "rotation without a grace period.",
        "Look at their addresses. Many keys from one address are a scan: block it at the gateway.",
    ),
    "master_key": FindingKind(
        "Master key used",
        "Requests were sent with the master key, which may do everything and has no owner.",
        "Give the client a virtual key of its own, then replace the master key.",
    ),
    "new_network": FindingKind(
        "New network",
        "The key was used from a network (/24 of IPv4, /48 of IPv6) that was not seen in the 90 "
        "days before the range.",
        "Ask the owner; if it is unknown to them, replace the key.",
    ),
    "new_agent": FindingKind(
        "New user agent",
        "The key was used by a program (user agent without version) that was not seen in the 90 "
        "days before the range.",
        "Ask the owner; if it is unknown to them, replace the key.",
    ),
    "rotation_overdue": FindingKind(
        "Rotation overdue",
        "The key is set to be rotated, and its time has passed.",
        "Check that the proxy’s rotation job runs, or rotate the key by hand.",
    ),
    "no_owner": FindingKind(
        "No owner",
        "The key has neither a user nor a team.",
        "Assign it to a user or a team.",
    ),
    "no_expiry": FindingKind(
        "No expiry", "The key never expires.", "Set an expiry, or an automatic rotation."
    ),
    "no_budget": FindingKind(
        "No budget",
        "Neither the key, nor its linked budget, nor its team has a limit of cost.",
        "Set a budget for the key or its team.",
    ),
    "never_used": FindingKind(
        "Never used",
        "The key is older than 7 days and has no activity, no spend and no request in the log.",
        "Delete it.",
    ),
    "dormant": FindingKind(
        "Dormant",
        "The key was not used in the last 90 days.",
        "Ask the owner, then block or delete it.",
    ),
    "unused_models": FindingKind(
        "Unused models",
        "The key may use models that it did not use in 90 days, or as far as the log reaches.",
        "Remove them from the key.",
    ),
    "unused_tools": FindingKind(
        "Unused tools",
        "The key may use MCP servers or tools that it did not use in 90 days, or as far as the "
        "log reaches.",
        "Remove them from the key’s permissions.",
    ),
}
