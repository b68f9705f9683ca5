"""Regular expressions of Python as RE2 has them: the same where both agree, rewritten where that is exact."""

from __future__ import annotations

import re

import re2

_BEHIND = re.compile(r"\(\?<=((?:[^()\\\[\]{}.*+?|^$]|\\[^A-Za-z0-9])+)\)")
_AHEAD = re.compile(r"\(\?=((?:[^()\\\[\]{}*+?|^$]|\\[^A-Za-z0-9])+)\)$")


def carried(pattern: str, *, takes_first: bool) -> str:
    """Return an RE2 expression that finds what `pattern` does. Raises ValueError with what RE2 refuses.

    RE2 has no lookaround. At the ends of an expression with one group, of which the first match is taken,
    texts that must stand before and after can be read as a part of the match, for the group leaves them out.
    """
    rewritten = pattern
    if takes_first and (behind := _BEHIND.match(pattern)):
        rewritten = behind[1] + pattern[behind.end() :]
    if takes_first and (ahead := _AHEAD.search(rewritten)):
        rewritten = rewritten[: ahead.start()] + ahead[1]
    if rewritten != pattern and groups(rewritten) != 1:
        rewritten = pattern
    groups(rewritten)
    return rewritten


def groups(pattern: str) -> int:
    """Return how many groups an RE2 expression has. Raises ValueError when it is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options).groups)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else "not understood"
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"is no RE2 expression: {said} (RE2 has no lookaround and no backreferences)"
        ) from error


def removed(pattern: str, text: str) -> str:
    """Return a text without what an RE2 expression matches."""
    options = re2.Options()
    options.log_errors = False
    return str(re2.sub(pattern, "", text, options=options))
