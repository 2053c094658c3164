"""Errors of the driver as errors that a person can act on."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tracelib import errors

BY_SQLSTATE: dict[str, type[errors.TraceError]] = {
    "28000": errors.SignInRefused,
    "28P01": errors.SignInRefused,
    "3D000": errors.NoSuchDatabase,
    "25P03": errors.QuestionInterrupted,
    "40001": errors.QuestionInterrupted,
    "40P01": errors.QuestionInterrupted,
    "42501": errors.PermissionMissing,
    "42P01": errors.TableMissing,
    "42703": errors.ColumnMissing,
    "53300": errors.ConnectionsExhausted,
    "55P03": errors.TableBusy,
    "57014": errors.QuestionTooSlow,
    "57P01": errors.DatabaseUnreachable,
    "57P02": errors.DatabaseUnreachable,
    "57P03": errors.DatabaseUnreachable,
}
# Else the first two digits decide: a connection lost, a server short of resources.
BY_CLASS: dict[str, type[errors.TraceError]] = {
    "08": errors.DatabaseUnreachable,
    "53": errors.QuestionInterrupted,
}
# A connection that fails has no SQLSTATE in psycopg2, so libpq's and PgBouncer's messages are
# matched.
BY_WORDS: tuple[tuple[str, type[errors.TraceError]], ...] = (
    ("password authentication failed", errors.SignInRefused),
    ("permission denied for database", errors.PermissionMissing),
    ("no password supplied", errors.SignInRefused),
    ("no such user", errors.SignInRefused),
    ("no pg_hba.conf entry", errors.SignInRefused),
    ("is not permitted to log in", errors.SignInRefused),
    ("no such database", errors.NoSuchDatabase),
    ("too many connections", errors.ConnectionsExhausted),
    ("too many clients", errors.ConnectionsExhausted),
    ("remaining connection slots", errors.ConnectionsExhausted),
    ("no more connections allowed", errors.ConnectionsExhausted),
    ("query_wait_timeout", errors.ConnectionsExhausted),
    ("does not support ssl", errors.EncryptionRefused),
    ("ssl is not enabled", errors.EncryptionRefused),
    ("certificate", errors.EncryptionRefused),
    ("ssl error", errors.EncryptionRefused),
    ("sslmode", errors.EncryptionRefused),
    ("invalid connection option", errors.BadSetting),
    ("invalid port number", errors.BadSetting),
)


def explained(error: SQLAlchemyError) -> errors.TraceError:
    """Which of our own errors is this? The server's message becomes its detail."""
    if isinstance(error, PoolTimeout):
        return errors.PoolBusy()
    if not isinstance(error, DBAPIError):
        return errors.QuestionRefused(str(error))
    original = error.orig
    sqlstate = getattr(original, "pgcode", None)
    message = _message(original)
    if sqlstate == "42P01" and "does not exist" not in message:
        return errors.QuestionRefused(message)
    if sqlstate == "57014" and "user request" in message:
        return errors.QuestionInterrupted(message)
    if sqlstate:
        by_class = BY_CLASS.get(sqlstate[:2], errors.QuestionRefused)
        return BY_SQLSTATE.get(sqlstate, by_class)(message)
    return _of_connection(message)


def reason(error: SQLAlchemyError) -> str:
    """What did the server or the driver say?"""
    return _message(error.orig) if isinstance(error, DBAPIError) else str(error)


def _message(original: BaseException | None) -> str:
    diagnosis = getattr(original, "diag", None)
    return (getattr(diagnosis, "message_primary", None) or str(original)).strip()


def _of_connection(message: str) -> errors.TraceError:
    words = message.lower()
    if "role" in words and "does not exist" in words:
        return errors.SignInRefused(message)
    if "database" in words and "does not exist" in words:
        return errors.NoSuchDatabase(message)
    for phrase, kind in BY_WORDS:
        if phrase in words:
            return kind(message)
    return errors.DatabaseUnreachable(message)
