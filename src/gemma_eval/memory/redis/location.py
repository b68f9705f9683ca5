"""Where a store of passages in Redis is: what its URL says, and how that is shown without a password."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gemma_eval.errors import StoreError, suggestion
from gemma_eval.memory.stores import without_password

TIMEOUT_S = 1.0
"""How long a connection or an answer is waited for; a server that is well answers within milliseconds."""
LONGEST_TIMEOUT_S = 60.0
PORT = 6379

_SCHEMES = ("redis", "rediss")
_SETTINGS = ("namespace", "password_env", "timeout", "cacert", "cert", "key")
_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FORM = "redis://[user[:password]@]host[:port][/database][?namespace=…]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A database of a server, and the namespace in it; files are PEM, and `timeout_s` is in seconds."""

    host: str
    port: int = PORT
    database: int = 0
    namespace: str = "default"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    timeout_s: float = TIMEOUT_S

    @property
    def address(self) -> str:
        """The server, as messages call it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the URL without the password."""
        user = f"{self.username}@" if self.username else ""
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{user}{self.address}/{self.database}?namespace={self.namespace}"


def parse(url: str, environment: Mapping[str, str]) -> Location:
    """Return what a URL says; `password_env` names a variable of `environment`. Raises StoreError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(url, f"is no address; write {_FORM}") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.fragment:
        raise _wrong(url, f"is no address of a Redis server; write {_FORM}")
    settings = _settings(url, parts)
    return Location(
        host=parts.hostname,
        port=PORT if port is None else port,
        database=_database(url, parts),
        namespace=_namespace(url, settings.get("namespace", "default")),
        username=unquote(parts.username) if parts.username else None,
        password=_password(url, parts, settings.get("password_env"), environment),
        tls=parts.scheme == "rediss",
        cacert=settings.get("cacert"),
        cert=settings.get("cert"),
        key=settings.get("key"),
        timeout_s=_timeout_s(url, settings.get("timeout")),
    )


def _settings(url: str, parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in pairs:
        if name not in _SETTINGS:
            raise _wrong(url, f'no setting named "{name}"{suggestion(name, _SETTINGS)}')
        if not value:
            raise _wrong(url, f"{name} is empty")
    settings = dict(pairs)
    if len(settings) < len(pairs):
        raise _wrong(url, "a setting is given twice")
    tls_only = {"cacert", "cert", "key"} & set(settings)
    if tls_only and parts.scheme != "rediss":
        raise _wrong(url, f"{min(tls_only)} is for an encrypted connection; write rediss://")
    return settings


def _database(url: str, parts: SplitResult) -> int:
    name = parts.path.strip("/")
    if not re.fullmatch(r"[0-9]{0,4}", name):
        raise _wrong(url, "a database has a number, as in redis://localhost/0; name a set with ?namespace=")
    return int(name or 0)


def _namespace(url: str, name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise _wrong(url, "a namespace has 1 to 64 letters, digits and characters of _.:-")
    return name


def _password(
    url: str, parts: SplitResult, variable: str | None, environment: Mapping[str, str]
) -> str | None:
    if variable is None:
        return unquote(parts.password) if parts.password else None
    if parts.password:
        raise _wrong(url, "has a password and a password_env; leave the password out")
    if not environment.get(variable):
        raise _wrong(url, f"password_env: the environment variable {variable} is not set")
    return environment[variable]


def _timeout_s(url: str, text: str | None) -> float:
    try:
        seconds = TIMEOUT_S if text is None else float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise _wrong(url, f"timeout is a number of seconds, at most {LONGEST_TIMEOUT_S:.0f}")
    return seconds


def _wrong(url: str, what: str) -> StoreError:
    shown = without_password(url) if "://" in url else "this location"
    return StoreError(f"{shown}: {what}")
