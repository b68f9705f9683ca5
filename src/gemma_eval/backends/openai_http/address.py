"""The address of a server, from the `location` of a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from gemma_eval.errors import WrongSetting


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a server is; `path` is what the path of every request of its interface begins with (`/v1`)."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """The address without a path, as in messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def root(self) -> str:
        """The path that the interfaces of a server's own begin with: what comes before the version."""
        return self.path.rpartition("/v")[0]

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine, as far as the name of its host says."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse(location: str, *, model: str) -> Address:
    """Return the address that `location` names; the version of the interface is `/v1` where none is in it.

    Raises WrongSetting for what is no such URL, has a password in it, or leads to where clouds keep secrets.
    """
    if not location.isascii() or not location.isprintable() or " " in location:
        raise _wrong(model, f" has spaces or characters that no URL has; {_EXAMPLE}")
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError as error:
        raise _wrong(model, f" is no URL: {error}; {_EXAMPLE}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _wrong(model, f" is no http or https URL; {_EXAMPLE}")
    if parts.username is not None or parts.query or parts.fragment:
        raise _wrong(
            model,
            " has a user, a password or parameters in it, which would be stored with every run; "
            "give a key by the name of an environment variable, with the option api_key_env",
        )
    if _is_link_local(parts.hostname):
        raise _wrong(model, f": {parts.hostname} is a link-local address, which no model is asked at")
    path = parts.path.rstrip("/")
    return Address(
        scheme=parts.scheme,
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        path=path if _VERSION.search(path) else f"{path}/v1",
    )


_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "a URL is needed, as http://127.0.0.1:8080/v1"
_VERSION = re.compile(r"/v\d[a-z0-9]*(/|$)")


def _wrong(model: str, what: str) -> WrongSetting:
    return WrongSetting(model, "location", what=f"location{what}")


def _is_link_local(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_link_local or host == "fd00:ec2::254"
