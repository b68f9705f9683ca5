"""Every error that gemma_eval raises on purpose.

    GemmaEvalError
    ├── UsageError               a person can mend it: exit code 4 in pytest, 2 on the command line
    │   ├── SuiteError           a suite file; carries every problem of the file
    │   ├── ConfigError          a profiles, models or settings file
    │   └── UnknownName          a name that nothing is registered under
    ├── BackendError             an engine could not do its work
    │   ├── WrongSetting         a location or an option of a model cannot be
    │   ├── MissingDependency    an extra is not installed
    │   ├── ModelNotFound        weights are absent, incomplete or damaged
    │   ├── ContextOverflow      the prompt does not fit the context
    │   ├── NonFiniteLogits      the model's arithmetic broke down
    │   ├── GenerationTimeout    the engine took longer than allowed
    │   ├── EngineCrashed        the process of an engine ended, or wrote what is no answer
    │   └── ServerError          a server answered with an error
    │       └── TruncatedStream  a stream ended before the answer did
    ├── TemplateError            a prompt template could not be rendered
    ├── StoreError               the results database or a memory cannot be used
    └── PluginError              a plugin broke the contract

A message says where, what is wrong and what would be right, in one line per problem. A failed gate is
not an error: it is a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gemma_eval.records import Generation


class GemmaEvalError(Exception):
    """The root of all errors that gemma_eval raises on purpose."""

    kind = "error"


class UsageError(GemmaEvalError):
    """Something a person wrote is wrong; the message says how to mend it."""

    kind = "usage"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong in one file; `line` counts from 1, 0 when no line can be named."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        """Return `path:line: what`, or `path: what` when no line is known."""
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.what}"


class SuiteError(UsageError):
    """A suite file has problems; `problems` holds all of them, the message one line each."""

    kind = "suite"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order of their lines."""
        self.problems = tuple(sorted(problems, key=lambda problem: (str(problem.path), problem.line)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(UsageError):
    """A profiles, models or settings file has problems; the message names each with its place."""

    kind = "config"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order given."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownName(UsageError):
    """No `noun` (model, profile, template, scorer, suite …) is called `given`."""

    kind = "unknown_name"

    def __init__(self, noun: str, given: str, known: Iterable[str]) -> None:
        """Build the message, with the nearest known names as a suggestion."""
        self.noun = noun
        self.given = given
        self.known = tuple(sorted(known))
        super().__init__(f'no {noun} named "{given}"{suggestion(given, self.known)}')


class BackendError(GemmaEvalError):
    """An engine could not do its work; `partial` is what had come of an answer before it broke off."""

    kind = "backend"

    def __init__(self, message: str, *, partial: Generation | None = None) -> None:
        """Say what went wrong, and keep what had come with its stamps."""
        super().__init__(message)
        self.partial = partial


class WrongSetting(BackendError):
    """Something that a models file says of a model cannot be; `keys` lead to it in the table of the model.

    They are `("location",)`, or `("options", "threads")` for an option.
    """

    kind = "setting"

    def __init__(self, model: str, *keys: str, what: str) -> None:
        """Build the message, which says whose setting it is."""
        self.keys = keys
        super().__init__(f"model {model}: {what}")


class MissingDependency(BackendError):
    """An optional package is needed; the message carries the pip line that installs it."""

    kind = "missing_dependency"

    def __init__(self, what: str, *, extra: str) -> None:
        """`what` needs the extra `extra` of gemma_eval."""
        self.extra = extra
        super().__init__(f'{what} needs an optional package: pip install "gemma_eval[{extra}]"')


class ModelNotFound(BackendError):
    """Weights, tokenizer or configuration of a model are absent, incomplete or damaged."""

    kind = "model_not_found"


class ContextOverflow(BackendError):
    """A prompt and the longest answer to it need more tokens than the model's context holds."""

    kind = "context_overflow"

    def __init__(
        self, *, needed_tokens: int, limit_tokens: int, overflow: Literal["error", "truncate"] = "error"
    ) -> None:
        """Say both counts, and what would help; with `overflow` *truncate* all that may go has gone."""
        self.needed_tokens = needed_tokens
        self.limit_tokens = limit_tokens
        less = (
            "shorten the question or its template, lower max_tokens"
            if overflow == "truncate"
            else "shorten the prompt, lower budget_tokens or max_tokens, let the suite leave passages out "
            '([retrieval] overflow = "truncate")'
        )
        super().__init__(
            f"prompt and answer need {needed_tokens} tokens, the context of the model holds {limit_tokens}; "
            f"{less}, or give the model a larger context_tokens or a rope_scaling"
        )


class NonFiniteLogits(BackendError):
    """Logits hold NaN or +inf, or leave no token to choose."""

    kind = "nonfinite"


class GenerationTimeout(BackendError):
    """An engine took longer than the limit that was set for it."""

    kind = "timeout"


class ServerError(BackendError):
    """A server answered with an error status or a broken stream."""

    kind = "server_error"


class TruncatedStream(ServerError):
    """A stream ended before the answer did: without a reason to finish, or in the middle of an event."""

    kind = "truncated"


class EngineCrashed(BackendError):
    """The process of an engine ended, or wrote what is no answer."""

    kind = "engine_crashed"


class TemplateError(GemmaEvalError):
    """A prompt template is malformed, uses an unknown variable or does what the sandbox forbids.

    `what` is the message without its place: the `part` of the template ("" for its own text) and the `line`
    of the file, 0 when none is known.
    """

    kind = "template"

    def __init__(self, message: str, *, what: str = "", part: str = "", line: int = 0) -> None:
        """Keep the message and the place."""
        super().__init__(message)
        self.what = what or message
        self.part = part
        self.line = line


class StoreError(GemmaEvalError):
    """The results database or a memory cannot be opened, read or written."""

    kind = "store"


class PluginError(GemmaEvalError):
    """A plugin broke the contract: a name registered twice, an unknown hook, an object of a wrong shape."""

    kind = "plugin"


def suggestion(given: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?`, or the list of known names when none is near."""
    names = sorted(known)
    near = get_close_matches(given, names, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(names)}" if names else ""
