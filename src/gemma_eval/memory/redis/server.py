"""Asks a Redis server: short timeouts, no hidden retries, and an error that says what a person can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gemma_eval.errors import MissingDependency, StoreError
from gemma_eval.memory.redis.breaker import Breaker
from gemma_eval.memory.redis.location import Location

if TYPE_CHECKING:
    import redis

Answer = Any  # what a server sends; whoever asks knows its shape
Command = tuple[str | bytes | float, ...]
T = TypeVar("T")
PAGE = 1_000
"""How many passages one command is about."""


def pages(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield `PAGE` at a time."""
    return (ids[begin : begin + PAGE] for begin in range(0, len(ids), PAGE))


class Server:
    """A server of passages; every call raises StoreError, whose message never holds the password.

    Nothing is tried twice: the library's default tries a server that hangs for 15 s. After a timeout or a
    lost connection the `breaker` leaves the server alone for a while.
    """

    def __init__(self, location: Location, *, breaker: Breaker) -> None:
        """Connect to nothing yet. Raises MissingDependency without the package redis."""
        self.location = location
        self._breaker = breaker
        self._client = _client(location, timeout_s=location.timeout_s)

    def ask(self, *command: str | bytes | float) -> Answer:
        """Return the answer to one command."""
        return self.ask_all([command])[0]

    def ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Return the answers to commands sent together; others' changes may come between them.

        No MULTI, in which a full server refuses to read.
        """

        def send() -> list[Answer]:
            with self._client.pipeline(transaction=False) as pipeline:
                queue: Callable[..., object] = pipeline.execute_command
                for command in commands:
                    queue(*command)
                return pipeline.execute()

        return self._guarded(send) if commands else []

    def run(self, script: str, key: str, arguments: Sequence[str | bytes | float]) -> Answer:
        """Run a script, which is sent once; one of many arguments has a second more for 10,000 of them."""
        patient_s = self.location.timeout_s + len(arguments) / 10_000
        if len(arguments) <= _MANY:
            return self._guarded(lambda: self._client.register_script(script)([key], arguments))
        client = _client(self.location, timeout_s=patient_s)
        try:
            return self._guarded(lambda: client.register_script(script)([key], arguments))
        finally:
            client.close()

    def policy(self) -> str | None:
        """Return what the server does when it is full, `None` where it may not tell or has no limit."""
        from redis import exceptions

        def told() -> Mapping[str, object]:
            try:
                return self._client.info("memory")
            except exceptions.NoPermissionError:
                return {}

        memory = self._guarded(told)
        return str(memory.get("maxmemory_policy", "")) or None if memory.get("maxmemory") else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _guarded(self, work: Callable[[], T]) -> T:
        from redis.exceptions import RedisError

        if wait_s := self._breaker.open_for_s:
            raise StoreError(f"{self._breaker.why}; it is asked again in {wait_s:.0f} s")
        try:
            answer = work()
        except (RedisError, OSError) as error:
            raise self._told(error) from None
        self._breaker.answered()
        return answer

    def _told(self, error: Exception) -> StoreError:
        """Return what to raise; an error of the library may hold what was sent, and is not passed on."""
        from redis import exceptions

        where = f"Redis at {self.location.address}"
        if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
            return StoreError(f"{where} refuses the user or the password: {_first_line(error)}; {_PASSWORD}")
        if isinstance(error, exceptions.BusyLoadingError):
            return StoreError(f"{where} is still loading its data; ask it again in a while")
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            why = self._outage(where, error)
            self._breaker.failed(why)
            return StoreError(why)
        return StoreError(_refusal(where, error))

    def _outage(self, where: str, error: Exception) -> str:
        from redis import exceptions

        if isinstance(error, exceptions.TimeoutError | TimeoutError):
            return f"{where} did not answer within {self.location.timeout_s:g} s"
        return f"{where} cannot be reached: {_first_line(error)}"


_MANY = 2_000
_NOT_PERMITTED = ("The user executing the script can't", "ACL failure in script")
"""How Redis 7 and 8 begin where they refuse what a script does, without the code they have for a command."""
_PASSWORD = "name the variable that holds it with ?password_env="  # noqa: S105 - tells where it belongs


def _client(location: Location, *, timeout_s: float) -> redis.Redis:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise MissingDependency("memory in Redis", extra="redis") from error
    return redis.Redis(
        host=location.host,
        port=location.port,
        db=location.database,
        username=location.username,
        password=location.password,
        socket_timeout=timeout_s,
        socket_connect_timeout=location.timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        encoding_errors="surrogatepass",
        ssl=location.tls,
        ssl_ca_certs=location.cacert,
        ssl_certfile=location.cert,
        ssl_keyfile=location.key,
    )


def _refusal(where: str, error: Exception) -> str:
    """Return what to say of a command that was refused, with what a person can do about it."""
    from redis import exceptions

    said = _first_line(error)
    if said.startswith(_NOT_PERMITTED):
        error = exceptions.NoPermissionError()
    for kind, what in (
        (exceptions.OutOfMemoryError, "is full, nothing was kept: raise its maxmemory or forget passages"),
        (exceptions.ReadOnlyError, "is a replica and keeps nothing: give the address of its primary"),
        (exceptions.NoPermissionError, "does not permit what a store needs, see docs/memory_redis.md"),
    ):
        if isinstance(error, kind):
            return f"{where} {what} ({said})"
    return f"{where} refuses: {said}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
