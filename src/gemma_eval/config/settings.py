"""Settings: what a person chooses once for all commands, and where each value was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gemma_eval.config.places import Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The keys of settings.yaml, dotted there as `chat.model`: in each table one of these with a `_` for `.`.

    Paths are absolute or relative to the folder that one works in. `reload_poll_s` and `reload_quiet_s` are
    seconds between looks at the files and without a change before they are read; `backups` is how many
    earlier versions of a file are kept.
    """

    database: Path = Path("reports/gemma_eval.db")
    reports: Path = Path("reports")
    suite_paths: tuple[Path, ...] = ()
    chat_model: str = "pocket"
    chat_profile: str = "greedy"
    chat_template: str | None = None
    chat_memory: str | None = None
    chat_history: bool = True
    reload_poll_s: float = 0.1
    reload_quiet_s: float = 0.05
    backups: int = 10
    log_json: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


def load(
    places: Sequence[Place],
    *,
    environment: Mapping[str, str],
    given: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of the places, the environment and the command line. Raises ConfigError."""
    return Settings()
