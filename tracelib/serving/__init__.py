"""What a server puts around the app: what comes in, what every answer says, and an early start."""

from tracelib.serving.doors import only_what_is_used
from tracelib.serving.headers import content_security_policy, with_security_headers
from tracelib.serving.starting import prepared

__all__ = ["content_security_policy", "only_what_is_used", "prepared", "with_security_headers"]
