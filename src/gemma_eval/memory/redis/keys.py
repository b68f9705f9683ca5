"""The names of a store's keys in the server; what they hold is told in `memory.redis.scripts`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace; the braces keep them on one node of a cluster."""

    namespace: str

    def of(self, name: str) -> str:
        """Return the key called `name`."""
        return f"ge:{{{self.namespace}}}:{name}"

    @property
    def about(self) -> str:
        """The hash that says what the store is: every script is given this key."""
        return self.of("about")

    def tier(self, name: str) -> str:
        """Return the key of a tier."""
        return self.of(f"tier:{name}")

    def vectors(self, embedder: str) -> str:
        """Return the key of the vectors that an embedder has made."""
        return self.of(f"vectors:{embedder}")
