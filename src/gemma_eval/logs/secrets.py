"""What a key looks like, and that none stands in a file, which names the variable that has it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gemma_eval.files.locate import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One kind of secret: what it is in words, the letters it begins with, and what follows them.

    Where it only stands after those letters, as a password after `://`, they are *kept* when it is taken out.
    """

    what: str
    prefix: str
    rest: str
    kept: bool = False
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern; it begins with the letters themselves, which are fast to look for."""
        prefix = re.escape(self.prefix)
        within = "" if self.kept else rf"(?<![A-Za-z0-9_+/-]{prefix})"
        object.__setattr__(self, "pattern", re.compile(f"{prefix}{within}(?:{self.rest})"))

    def without(self, text: str, hidden: str) -> str:
        """Return a text with `hidden` in the place of each secret of this kind."""
        return self.pattern.sub((self.prefix if self.kept else "") + hidden, text)


_NO_MORE = "(?![A-Za-z0-9+/=])"
_OPENAI = "a key of OpenAI, Anthropic or one like them"
_GITHUB = "a token of GitHub"
_HEADER = "what an Authorization header says"

SHAPES = (
    Shape(what=_OPENAI, prefix="sk-", rest=r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z0-9]{12})[A-Za-z0-9_-]{20,}"),
    Shape(what="a token of Hugging Face", prefix="hf_", rest="[A-Za-z0-9]{30,}"),
    *(Shape(what=_GITHUB, prefix=f"gh{kind}_", rest="[A-Za-z0-9]{36,}") for kind in "oprsu"),
    Shape(what=_GITHUB, prefix="github_pat_", rest="[A-Za-z0-9_]{22,}"),
    Shape(what="a key of AWS", prefix="AKIA", rest=f"[A-Z0-9]{{16}}{_NO_MORE}"),
    Shape(what="a key of AWS", prefix="ASIA", rest=f"[A-Z0-9]{{16}}{_NO_MORE}"),
    Shape(what="a token of Slack", prefix="xox", rest="[abeoprs]-[A-Za-z0-9-]{10,}"),
    Shape(what="a key of Google", prefix="AIza", rest=f"[A-Za-z0-9_-]{{35}}{_NO_MORE}"),
    Shape(
        what="a JSON Web Token",
        prefix="eyJ",
        rest=r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    *(
        Shape(what=_HEADER, prefix=word, rest=r"(?=[^\s<>]*\d)[A-Za-z0-9._~+/=-]{16,}", kept=True)
        for word in ("Bearer ", "bearer ")
    ),
    *(
        Shape(what=_HEADER, prefix=word, rest="[A-Za-z0-9+/=]{8,}", kept=True)
        for word in ("Authorization: Basic ", "authorization: Basic ")
    ),
    Shape(
        what="a private key",
        prefix="-----BEGIN ",
        rest=r"[A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    ),
    Shape(
        what="a password in a URL",
        prefix="://",
        rest=r"[^\s/:@?#\"'<>]*:(?![${])[^\s/@\"'<>]+(?=@)",
        kept=True,
    ),
)

_MOST_SHOWN = 4


def looks_secret(value: object) -> str | None:
    """Return what kind of secret stands in a text, in words; `None` where none does."""
    found = _found(value) if isinstance(value, str) else None
    return None if found is None else found.what


def shown(value: object) -> str:
    """Return what may be shown of a secret: the letters that its kind begins with, four at most, and `…`."""
    found = _found(value) if isinstance(value, str) else None
    if found is None or found.kept or not found.prefix[0].isalpha():
        return "…"
    return f"{found.prefix[:_MOST_SHOWN]}…"


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


def _found(text: str) -> Shape | None:
    return next((shape for shape in SHAPES if shape.prefix in text and shape.pattern.search(text)), None)


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
