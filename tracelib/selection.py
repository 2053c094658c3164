"""Which requests are read as one conversation: those of a session, or some named one by one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """Requests of one key, by the sessions they are stored in or by their own ids.

    One session id is a session as LiteLLM stores it; several are sessions that go on from one
    another. Where `request_ids` are given they alone choose: requests joined by what they say.
    """

    api_key: str
    session_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()


def session(session_id: str, api_key: str) -> Selection:
    """Which requests are a session, as LiteLLM stores it?

    >>> session("s", "k")
    Selection(api_key='k', session_ids=('s',), request_ids=())
    """
    return Selection(api_key, (session_id,))
