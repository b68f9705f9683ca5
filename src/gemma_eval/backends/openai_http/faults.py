"""What kept a reply from coming, as a sentence without a beginning, and what would be right."""

from __future__ import annotations

from http.client import BadStatusLine, HTTPException
from ssl import SSLCertVerificationError, SSLError

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

_OTHER_NAME = (62, 64)
_EXPIRED = 10
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH, and _CERT_HAS_EXPIRED."""

_TLS_ALERT = "\x15\x03"
"""A record of TLS begins so: its type, and the first half of its version."""

_LONGEST_LINE = 80


def unreachable(error: Exception, connect_timeout_s: float) -> str:
    """Say why there is no connection."""
    if isinstance(error, NameResolutionError):
        return "no machine of that name is known"
    is_late = isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError)
    if is_late or isinstance(error, TimeoutError):
        return f"there was no connection within {connect_timeout_s:g} s; connect_timeout_s allows more"
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    reason = getattr(cause, "strerror", None) or getattr(cause, "reason", None) or type(cause).__name__
    return f"no connection: {reason}"


def unsafe(error: SSLError) -> str:
    """Say why there is no connection that is safe."""
    if not isinstance(error, SSLCertVerificationError):
        reason = (error.reason or "it broke off").lower().replace("_", " ")
        hint = "if it is a plain server, the location should begin with http://"
        return f"it does not speak TLS ({reason}); {hint}"
    said = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_NAME:
        return f"its certificate is for another address ({said}); give the one that it is for"
    if error.verify_code == _EXPIRED:
        return f"its certificate is not valid now ({said}); the server needs a new one"
    hint = "name the file with the certificate of its authority in the environment variable SSL_CERT_FILE"
    return f"its certificate is not trusted ({said}); {hint}"


def no_http(error: HTTPException) -> str:
    """Say what came in place of a reply."""
    if not isinstance(error, BadStatusLine):
        return f"what came is not HTTP ({str(error) or type(error).__name__}); is the address right?"
    line = str(error.args[0]).strip("\r\n")
    if line.startswith(_TLS_ALERT):
        return "what came is TLS; the location should begin with https://"
    return f'what came is not HTTP, it begins with "{line[:_LONGEST_LINE]}"; is the address right?'
