"""Who asks, through which installation, and when: what every answer of the API starts from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracelib import audit
from tracelib.asking.answers import PATIENCE_S, Question, answers
from tracelib.asking.installation import Installation
from tracelib.settings import TICKS
from tracelib.tokens import Token
from tracelib.window import ticked


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that was let in. `installed` is as its token sees it, `now` as the pages do."""

    installed: Installation
    token: Token
    now: datetime

    def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """What does the database say? Raises a TraceError."""
        return self.ask_all((question, *arguments))[0]

    def ask_all(self, *questions: tuple[Any, ...]) -> list[Any]:
        """What does it say to these (question, argument…) tuples, asked side by side?

        What a page still shows while the database is away is not given to programs: they could
        not tell it from now. Raises a TraceError.
        """
        asked = [Question(ask, tuple(arguments)) for ask, *arguments in questions]
        patience_s = PATIENCE_S + self.installed.settings.statement_timeout_s
        given = answers(self.installed, self.now, asked, patience_s)
        for answer in given:
            if answer.error:
                raise answer.error
        return [answer.value for answer in given]

    def note(self, what: audit.What, **of: Any) -> None:
        """Write down that this is about to be read. Raises AuditFailed: then it must not be."""
        role = self.token.access.role
        done = audit.Record(who=self.token.name, role=role, what=what, origin="api", **of)
        audit.record(self.installed.settings, done)


def tick(installed: Installation) -> datetime:
    """Which moment do programs and the pages' viewers call now?"""
    every_s = TICKS[installed.settings.refresh] or TICKS["30s"]
    return ticked(datetime.now(UTC), every_s)
