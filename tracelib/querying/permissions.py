"""Which queries are for which role, in addition to the scope of requests.

Figures are for every role, of the requests in its scope. Messages are for those who may read them,
and the state of the installation is for admins.
"""

from collections.abc import Callable
from typing import Any

from tracelib import conversation, errors, export, status, stitching
from tracelib.conversation.turn_diff import diff_between
from tracelib.permissions.access import Access

READS_MESSAGES: frozenset[Callable[..., Any]] = frozenset(
    {
        conversation.first_lines,
        conversation.snippets,
        conversation.turns,
        diff_between,
        export.session_document,
        stitching.conversation_around,
    }
)
READS_INSTALLATION: frozenset[Callable[..., Any]] = frozenset({status.server, status.size})


def refusal(function: Callable[..., Any], access: Access) -> errors.NotForThisRole | None:
    """Why is this query refused for this access? None if it is not."""
    is_refused = (function in READS_MESSAGES and not access.reads_messages) or (
        function in READS_INSTALLATION and not access.sees_installation
    )
    return errors.NotForThisRole() if is_refused else None


def for_access(error: errors.TraceError, access: Access) -> errors.TraceError:
    """The error for this access. The server's message names hosts, roles and columns."""
    return error if access.sees_installation else type(error)()
