"""What a server puts around the app: headers on every answer, and a start that is done early."""

from tracelib.serving.headers import content_security_policy, with_security_headers
from tracelib.serving.starting import prepared

__all__ = ["content_security_policy", "prepared", "with_security_headers"]
