"""Which tool a call's id stands for: results carry the id only, a person wants the name."""

from bisect import bisect_right
from collections.abc import Iterable

Moment = tuple[int, bool]  # the index of a request, and whether its answer is meant


class CallNames:
    """The names of called tools by the ids of their calls, and since when each is so called.

    Some servers count their ids anew for every answer, so one id may stand for several tools.
    """

    def __init__(self) -> None:
        self._since: dict[str, list[tuple[Moment, str]]] = {}

    def learn(self, calls: Iterable[tuple[str, str]], moment: Moment) -> None:
        """These calls, ids and names, were made in this request or in its answer."""
        for call_id, name in calls:
            known = self._since.setdefault(call_id, [])
            if not known or known[-1][1] != name:
                known.append((moment, name))

    def learn_unknown(self, calls: Iterable[tuple[str, str]], moment: Moment) -> None:
        """As `learn`, but only of ids that were never met."""
        self.learn([call for call in calls if call[0] not in self._since], moment)

    def name(self, call_id: str, index: int) -> str | None:
        """Which tool was called under this id, as the request of this index knows it?"""
        known = self._since.get(call_id, [])
        last = bisect_right(known, (index, False), key=lambda since: since[0])
        return known[last - 1][1] if last else None
