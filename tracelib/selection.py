"""Which requests are read as one conversation: those of a session, or some named one by one."""

from dataclasses import dataclass

from tracelib.keys import key_identity


@dataclass(frozen=True, slots=True)
class Selection:
    """Requests of one key, by the sessions they are stored in or by their own ids.

    `api_key` becomes the identity of the key, whatever it was named by.

    One session id is a session as LiteLLM stores it; several are sessions that go on from one
    another. Where `request_ids` are given they alone choose: requests joined by what they say.
    """

    api_key: str
    session_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_identity(self.api_key))


def session(session_id: str, api_key: str) -> Selection:
    """Which requests are a session, as LiteLLM stores it?

    >>> session("s", "litellm-cli")
    Selection(api_key='litellm-cli', session_ids=('s',), request_ids=())
    """
    return Selection(api_key, (session_id,))
