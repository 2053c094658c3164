"""The errors that the app raises: each says what is wrong and what to do.

Every class has its sentence and its remedy, so that a page, the troubleshooting document and a test
all read the same text. `detail` is the server's message; it is untrusted text and is only ever
shown as plain text.
"""

from typing import ClassVar


class TraceError(Exception):
    """An error that the dashboard can explain to the viewer."""

    sentence: ClassVar[str] = "The dashboard could not load this."
    remedy: ClassVar[str] = "Open Status to see the state of the database."
    # A passing fault may be gone soon: a page tries again then.
    is_passing: ClassVar[bool] = False
    # Earlier figures stay on a page, with their age, unless the viewer may not see them now.
    hides_figures: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.sentence} {detail}".strip())
        self.detail = detail

    def __reduce__(self) -> tuple[type["TraceError"], tuple[str]]:
        return type(self), (self.detail,)


class BadSetting(TraceError):
    sentence = "A setting is not valid."
    remedy = (
        "Correct it in the environment or in .streamlit/secrets.toml and restart the app, "
        "or in the file that it names; the log says which."
    )


class HostNotAllowed(TraceError):
    sentence = "This host name is not allowed."
    remedy = "If it is yours, add it to TRACELIB_ALLOWED_HOSTS."


class DatabaseUnreachable(TraceError):
    sentence = "The database is not responding."
    remedy = (
        "Check host and port in DATABASE_URL, that PostgreSQL is running, "
        "and that a firewall lets this machine in."
    )
    is_passing = True


class DatabaseHangs(TraceError):
    sentence = "The database accepts queries and does not respond to them."
    remedy = (
        "The server may be stopped or overloaded, or the network may lose packets; the next "
        "refresh tries again."
    )
    is_passing = True


class EncryptionRefused(TraceError):
    sentence = "The encrypted connection to the database failed."
    remedy = (
        "Set sslmode in DATABASE_URL to what the server expects, "
        "and sslrootcert to its certificate."
    )


class NoSuchDatabase(TraceError):
    sentence = "The server has no database of that name."
    remedy = "Correct the part of DATABASE_URL after the last slash; LiteLLM’s default is litellm."


class SignInRefused(TraceError):
    sentence = "The database rejected the user name or password."
    remedy = (
        "Correct user and password in DATABASE_URL; write odd characters in a password "
        "percent-encoded if in doubt."
    )


class ConnectionsExhausted(TraceError):
    sentence = "The database has no free connection for the dashboard."
    remedy = (
        "Wait for the next refresh, lower TRACELIB_POOL_SIZE, or raise the role’s connection limit."
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
    remedy = "Check that DATABASE_URL points at a LiteLLM proxy’s database of March 2025 or newer."


class PermissionMissing(TraceError):
    sentence = "The database role lacks a permission that this page needs."
    remedy = "Grant the role SELECT on LiteLLM’s tables; docs/hardening.md has the statements."


class ColumnMissing(TraceError):
    sentence = "A column that existed at the start is missing now."
    remedy = "LiteLLM was probably just upgraded; press Refresh now to read the schema again."


class QuestionTooSlow(TraceError):
    sentence = "The query took longer than the time limit and was stopped."
    remedy = "Choose a shorter time range or fewer filters, or raise TRACELIB_STATEMENT_TIMEOUT_S."


class PoolBusy(TraceError):
    sentence = "Every connection of the dashboard is waiting for the database."
    remedy = "Wait for the next refresh, or raise TRACELIB_POOL_SIZE to run more queries at once."
    is_passing = True


class StillRunning(TraceError):
    sentence = "The database has not responded yet."
    remedy = "The query is still running; its result is shown when it is there."
    is_passing = True


class AppStopping(TraceError):
    sentence = "The app is stopping."
    remedy = "Send the request again in a moment."
    is_passing = True


class Cancelled(TraceError):
    sentence = "The query was cancelled, because no one waited for it any more."
    remedy = "The page runs it again when it is opened."
    is_passing = True


class TableBusy(TraceError):
    sentence = "LiteLLM is changing the table at the moment."
    remedy = "A migration has locked it; the next refresh tries again."
    is_passing = True


class QuestionInterrupted(TraceError):
    sentence = "The database cancelled the query."
    remedy = (
        "A replica may be catching up, or the server may be short of memory; the next refresh "
        "tries again."
    )
    is_passing = True


class QuestionRefused(TraceError):
    sentence = "The database rejected the query."
    remedy = "The server’s message is below; if this keeps happening, open an issue with it."


class OwnFault(TraceError):
    sentence = "Unexpected error in the dashboard."
    remedy = "See the dashboard’s log for details, and report it."


class SampleUnavailable(TraceError):
    sentence = "The sample database could not be started."
    remedy = (
        "Set DATABASE_URL to a LiteLLM database, or free space in the temporary folder and restart."
    )


class NoSuchSession(TraceError):
    hides_figures = True
    sentence = "No session has this ID."
    remedy = (
        "Its rows may have been pruned by LiteLLM’s retention, or you may not have access to them."
    )


class AuditFailed(TraceError):
    hides_figures = True
    sentence = "The audit record could not be written, so this is not shown."
    remedy = "Give the app a TRACELIB_AUDIT_LOG that it may write to, on a disk with space left."


class NotForThisRole(TraceError):
    hides_figures = True
    sentence = "Your role does not show this."
    remedy = "Ask the administrator of this dashboard for another role."


class FileUnavailable(TraceError):
    sentence = "This page can no longer download this file."
    remedy = "Reload the page, sign in again if you are signed out, and click again."


class FilesBusy(TraceError):
    sentence = "Too many files are being downloaded at the moment."
    remedy = "Click again in a minute."
    is_passing = True


class ReplicaUnreadable(TraceError):
    sentence = "The replica cannot be read."
    remedy = "Pages query the database directly. Status shows the state of the replica."


class ReplicaDamaged(ReplicaUnreadable):
    sentence = "The replica is damaged."
    remedy = "It is built again by itself; pages query the database directly meanwhile."


class ReplicaOfNewerVersion(ReplicaUnreadable):
    sentence = "The replica was written by a newer version of the dashboard."
    remedy = "Upgrade this installation, or give it a replica folder of its own."


class ReplicaOfOlderVersion(ReplicaUnreadable):
    sentence = "The replica was written by an older version of the dashboard."
    remedy = "It is built again by itself; pages query the database directly meanwhile."


class ReplicaOfAnotherUser(ReplicaUnreadable):
    sentence = "The replica folder belongs to another user of this machine."
    remedy = "Set TRACELIB_REPLICA_FOLDER to a folder of the user that runs the dashboard."


class ReplicaDatabaseUnusable(ReplicaUnreadable):
    sentence = "The database of the replica cannot be used."
    remedy = (
        "Check TRACELIB_REPLICA_URL, and that its role may create tables there. Pages query "
        "LiteLLM’s database meanwhile."
    )
    is_passing = True


class ReplicaDatabaseIsTheLog(TraceError):
    sentence = "TRACELIB_REPLICA_URL is a database with a log of LiteLLM."
    remedy = "Give the replica a database of its own: nothing is ever written to LiteLLM’s."


class ReplicaOfAnotherLog(TraceError):
    sentence = "The schema of the replica has the requests of another log."
    remedy = (
        "Add ?schema=NAME to TRACELIB_REPLICA_URL, with a schema of its own for each log; or drop "
        "this schema if its log is gone, and it is built again."
    )


class ReplicaUnwritable(TraceError):
    sentence = "The replica folder cannot be written to."
    remedy = "Free space on its disk, or set TRACELIB_REPLICA_FOLDER to a folder on another one."
    is_passing = True
