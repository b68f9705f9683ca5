"""What a key looks like, and that none stands in a file, which names the variable that has it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gemma_eval.files.locate import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One kind of key: what it is, a text that every one holds, and its pattern.

    Where `is_public` the first letters tell the kind alone, so that they may be shown.
    """

    what: str
    marker: str
    pattern: str
    is_public: bool = True


_ALONE = r"(?<![A-Za-z0-9_+/-])"
"""Not in the middle of a word, of a path or of base64."""

SHAPES = (
    Shape(
        what="a key of OpenAI, Anthropic or one like them",
        marker="sk-",
        pattern=_ALONE + r"sk-(?=[\w-]*\d)(?=[\w-]*[A-Za-z0-9]{12})[A-Za-z0-9_-]{20,}",
    ),
    Shape(what="a token of Hugging Face", marker="hf_", pattern=_ALONE + r"hf_[A-Za-z0-9]{30,}"),
    Shape(what="a token of GitHub", marker="gh", pattern=_ALONE + r"gh[oprsu]_[A-Za-z0-9]{36,}"),
    Shape(what="a token of GitHub", marker="github_pat_", pattern=_ALONE + r"github_pat_[A-Za-z0-9_]{22,}"),
    Shape(what="a key of AWS", marker="AKIA", pattern=_ALONE + r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9+/=])"),
    Shape(what="a key of AWS", marker="ASIA", pattern=_ALONE + r"ASIA[A-Z0-9]{16}(?![A-Za-z0-9+/=])"),
    Shape(what="a token of Slack", marker="xox", pattern=_ALONE + r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Shape(what="a key of Google", marker="AIza", pattern=_ALONE + r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9+/=])"),
    Shape(
        what="a JSON Web Token",
        marker="eyJ",
        pattern=_ALONE + r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    Shape(
        what="what an Authorization header says",
        marker="earer",
        pattern=r"(?<=[Bb]earer )(?=[^\s<>]*\d)[A-Za-z0-9._~+/=-]{16,}",
        is_public=False,
    ),
    Shape(
        what="what an Authorization header says",
        marker="asic ",
        pattern=r"(?<=[Aa]uthorization: [Bb]asic )[A-Za-z0-9+/=]{8,}",
        is_public=False,
    ),
    Shape(
        what="a private key",
        marker="PRIVATE KEY-----",
        pattern=r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        is_public=False,
    ),
    Shape(
        what="a password in a URL",
        marker="://",
        pattern=r"(?<=://)[^\s/:@?#\"'<>]*:(?![${])[^\s/@\"'<>]+(?=@)",
        is_public=False,
    ),
)

_PATTERNS = tuple((shape, re.compile(shape.pattern)) for shape in SHAPES)
_MOST_SHOWN = 4


def looks_secret(value: object) -> str | None:
    """Return what kind of secret stands in a text, in words; `None` where none does."""
    found = _found(value) if isinstance(value, str) else None
    return None if found is None else found[0].what


def shown(value: object) -> str:
    """Return what may be shown of a secret: the letters that its kind begins with, four at most, and `…`."""
    found = _found(value) if isinstance(value, str) else None
    if found is None or not found[0].is_public:
        return "…"
    return f"{found[1][: min(_MOST_SHOWN, len(found[0].marker))]}…"


def flaws(table: object, *, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield where a table of configuration has a key or a password itself, and what is wrong with that.

    A text that is JSON is looked into as well.
    """
    if len(at) > _DEEPEST:
        return
    if isinstance(table, Mapping):
        for key, value in table.items():
            yield from flaws(value, at=(*at, str(key)))
    elif isinstance(table, list | tuple):
        for index, value in enumerate(table):
            yield from flaws(value, at=(*at, index))
    elif what := _kind(_name(at), table):
        yield at, f"is {what} ({shown(table)}); {_RIGHT}"
    elif isinstance(table, str) and table.lstrip()[:1] == "{":
        yield from ((at, what) for _, what in flaws(_parsed(table), at=at))


_RIGHT = (
    "a file must not hold it: put it into an environment variable and give the name of that, "
    'as api_key_env = "OPENAI_API_KEY"'
)
_ALWAYS = re.compile(
    r"(?:^|_)(?:passw(?:or)?d|passphrase|pwd|secret|credentials?|authorization"
    r"|api_?key|(?:access|secret|private|account)_key|(?:access|auth|bearer|hf|api)_token)$"
)
"""Names under which every text is a secret."""
_PERHAPS = re.compile(r"(?:^|_)(?:key|token|auth|passcode|secrets?)(?:$|_)")
"""Names under which a text is one that looks as if it were drawn by lot."""
_NO_SECRET = re.compile(r"_(?:env|file|path|id|name|url)$")
_VARIABLE = re.compile(r"\$?\{?[A-Z][A-Z0-9]*_[A-Z0-9_]*\}?")
_HEX = re.compile(r"(?:sha\d+:)?[0-9a-fA-F]+")
_WORD = re.compile(r"[A-Za-z0-9+/=_.~-]{20,}")
_LEAST_BITS = 3.5
_LONGEST = 512
_DEEPEST = 100


def _found(text: str) -> tuple[Shape, str] | None:
    for shape, pattern in _PATTERNS:
        if shape.marker in text and (match := pattern.search(text)):
            return shape, match[0]
    return None


def _kind(name: str, value: object) -> str | None:
    """Return what kind of secret stands under a name, `None` where it is none."""
    if isinstance(value, str) and (what := looks_secret(value)):
        return what
    if _NO_SECRET.search(name) or isinstance(value, bool) or value in (None, ""):
        return None
    if _ALWAYS.search(name):
        is_variable = isinstance(value, str) and _VARIABLE.fullmatch(value)
        return None if is_variable or not isinstance(value, str | int) else "a secret by its name"
    if _PERHAPS.search(name) and isinstance(value, str) and _looks_drawn(value):
        return "what looks like a key"
    return None


def _looks_drawn(text: str) -> bool:
    """Whether a text is one long word of letters and digits as no person makes it; a hash is none."""
    if len(text) > _LONGEST or not _WORD.fullmatch(text):
        return False
    if _HEX.fullmatch(text) or text[0] in "/.~" or text.count("/") > 1:
        return False
    has_both = any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text)
    return has_both and _bits(text) >= _LEAST_BITS and "-" not in text.strip("-")


def _bits(text: str) -> float:
    """Return the entropy of the letters of a text, in bits per letter."""
    shares = (count / len(text) for count in Counter(text).values())
    return -sum(share * math.log2(share) for share in shares)


def _name(at: Path) -> str:
    """Return the innermost name of a path as words with underscores, in small letters."""
    named = next((part for part in reversed(at) if isinstance(part, str)), "")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-.\s]", "_", named).lower()


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
