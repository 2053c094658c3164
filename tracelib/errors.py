"""What we raise on purpose: each says what is wrong and what to do.

Every class carries its sentence and its remedy, so that a page, the troubleshooting
document and a test all read the same words. `detail` holds what the server said; it is
untrusted text and is only ever shown as plain text.
"""

from typing import ClassVar


class TraceError(Exception):
    """Anything the dashboard can explain to the person who looks at it."""

    sentence: ClassVar[str] = "The dashboard could not answer."
    remedy: ClassVar[str] = "Open Status to see what the database says."
    # A passing fault may be gone at the next refresh, so earlier figures may stay on the page.
    is_passing: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.sentence} {detail}".strip())
        self.detail = detail

    def __reduce__(self) -> tuple[type["TraceError"], tuple[str]]:
        return type(self), (self.detail,)


class BadSetting(TraceError):
    sentence = "A setting cannot be used as it is."
    remedy = (
        "Correct it in the environment or in .streamlit/secrets.toml and restart the app, "
        "or in the file that it names; the log says which."
    )


class DatabaseUnreachable(TraceError):
    sentence = "The database does not answer."
    remedy = (
        "Check host and port in DATABASE_URL, that PostgreSQL is running, "
        "and that a firewall lets this machine in."
    )
    is_passing = True


class EncryptionRefused(TraceError):
    sentence = "The encrypted connection to the database could not be made."
    remedy = (
        "Set sslmode in DATABASE_URL to what the server expects, "
        "and sslrootcert to its certificate."
    )


class NoSuchDatabase(TraceError):
    sentence = "The server has no database of that name."
    remedy = "Correct the part of DATABASE_URL after the last slash; LiteLLM's default is litellm."


class SignInRefused(TraceError):
    sentence = "The database refuses this user name or password."
    remedy = (
        "Correct user and password in DATABASE_URL; write odd characters in a password "
        "percent-encoded if in doubt."
    )


class ConnectionsExhausted(TraceError):
    sentence = "The database has no connection left for the dashboard."
    remedy = (
        "Wait for the next refresh, lower TRACELIB_POOL_SIZE, or raise the role's connection limit."
    )
    is_passing = True


class TableMissing(TraceError):
    sentence = "This database has no LiteLLM_SpendLogs table."
    remedy = (
        "Point DATABASE_URL at the database of the LiteLLM proxy; where its tables are in "
        "another schema, add ?schema=name to the URL."
    )


class SchemaUnknown(TraceError):
    sentence = "The LiteLLM_SpendLogs table here lacks columns that every page needs."
    remedy = "Check that DATABASE_URL points at a LiteLLM proxy's database of March 2025 or newer."


class PermissionMissing(TraceError):
    sentence = "The role may not read what this page asks for."
    remedy = "Grant the role SELECT on LiteLLM's tables; docs/hardening.md has the statements."


class ColumnMissing(TraceError):
    sentence = "A column that was there at the start is gone."
    remedy = "LiteLLM has probably just been upgraded; press Refresh now, and the app looks again."


class QuestionTooSlow(TraceError):
    sentence = "The database needed longer than the time limit, so the question was stopped."
    remedy = "Choose a shorter time range or fewer filters, or raise TRACELIB_STATEMENT_TIMEOUT_S."
    is_passing = True


class NotAnsweredYet(TraceError):
    sentence = "The database has not answered yet."
    remedy = "It is still working on it; the next refresh shows its answer."
    is_passing = True


class TableBusy(TraceError):
    sentence = "LiteLLM is changing the table at the moment."
    remedy = "A migration holds it; the next refresh asks again."
    is_passing = True


class QuestionInterrupted(TraceError):
    sentence = "The database broke the question off."
    remedy = "A replica catching up, or a server short of memory; the next refresh asks again."
    is_passing = True


class QuestionRefused(TraceError):
    sentence = "The database refused the question."
    remedy = "What the server said is below; if it goes on, open an issue with that text."


class OwnFault(TraceError):
    sentence = "The dashboard itself is at fault."
    remedy = "Its log says more; report what stands there."


class SampleUnavailable(TraceError):
    sentence = "The sample database could not be started."
    remedy = (
        "Set DATABASE_URL to a LiteLLM database, or free space in the temporary folder and restart."
    )


class NoSuchSession(TraceError):
    sentence = "No session has that id."
    remedy = "Its rows may have been pruned by LiteLLM's retention, or they are not yours to see."


class AuditFailed(TraceError):
    sentence = "It could not be noted who reads this, so it is not shown."
    remedy = "Give the app a TRACELIB_AUDIT_LOG that it may write to, on a disk with space left."


class NotForThisRole(TraceError):
    sentence = "Your role does not show this."
    remedy = "Ask whoever runs this dashboard for another role."
