"""Which queries are for which role, in addition to the scope of requests.

Figures are for every role, of the requests in its scope. Messages are for those who may read them,
and so is a search in them: whether it finds a session says what is in its messages. The state of
the installation is for admins.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tracelib import conversation, errors, export, status, stitching
from tracelib.conversation.turn_diff import diff_between
from tracelib.permissions.access import Access
from tracelib.sessions import SessionSearch

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
# About the log as a whole, of which a part says something of all others.
READS_WHOLE_LOG: frozenset[Callable[..., Any]] = frozenset({status.retention})


def refusal(
    function: Callable[..., Any], arguments: Sequence[object], access: Access
) -> errors.NotForThisRole | None:
    """Why is this query refused for this access? None if it is not."""
    reads_messages = function in READS_MESSAGES or any(map(_searches_messages, arguments))
    is_refused = (reads_messages and not access.reads_messages) or (
        function in READS_INSTALLATION and not access.sees_installation
    )
    is_refused |= function in READS_WHOLE_LOG and not access.scope.is_all
    return errors.NotForThisRole() if is_refused else None


def _searches_messages(argument: object) -> bool:
    return isinstance(argument, SessionSearch) and argument.reads_messages


def for_access(error: errors.TraceError, access: Access) -> errors.TraceError:
    """The error for this access. The server's message names hosts, roles and columns."""
    return error if access.sees_installation else type(error)()
