"""A reply that is no answer, as one clear sentence: what the server said, and what would help."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from gemma_eval.backends.openai_http.events import NoSuchEvent, message, parsed
from gemma_eval.backends.openai_http.reply import Reply
from gemma_eval.errors import BackendError, ContextOverflow, GenerationTimeout, ServerError

AGAIN = (429, 500, 502, 503, 504)
"""The statuses after which another attempt may succeed."""

LONGEST_PAUSE_S = 60.0
"""How long a server may ask to be left alone before another attempt."""

_FIRST_PAUSE_S = 0.5
_LONGEST_SHOWN = 200


class Secret(str):
    """A text that is shown nowhere: its representation hides it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Makes texts of a server fit to show: short, on one line, without what acts unseen, without the key."""

    key: Secret | None = None

    def __call__(self, text: str) -> str:
        """Return `text` as it may stand in a message."""
        shown = "".join(_visible(letter) for letter in self.without_key(text).strip()[: 4 * _LONGEST_SHOWN])
        return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 1]}…"

    def without_key(self, text: str) -> str:
        """Return `text` with the key replaced, also where it is encoded."""
        if not self.key:
            return text
        plain = str(self.key)
        for form in (plain, quote(plain, safe=""), b64encode(plain.encode()).decode()):
            text = text.replace(form, repr(self.key))
        return text


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked, for messages: the URL, the model, the variable of the key, and who knows the models.

    It was asked in so many `attempts`; `is_first` when the server may not be what it was taken for.
    """

    url: str
    model: str = ""
    api_key_env: str | None = None
    max_tokens: int = 0
    excerpt: Excerpt = Excerpt()
    models: Callable[[], Collection[str]] = tuple
    attempts: int = 1
    is_first: bool = False


def refusal(reply: Reply, question: Question) -> BackendError | None:
    """Return the error that a reply is, `None` when its body may hold an answer."""
    if reply.status is None:
        return _without_reply(reply, question)
    if reply.status != 200:
        return _of_status(reply, question)
    if reply.headers.get("content-encoding", "identity") != "identity":
        what = f"the reply is compressed ({question.excerpt(reply.headers['content-encoding'])})"
        return ServerError(f"{question.url}: {what}, though that was not asked for")
    return None


def pause_s(reply: Reply, *, attempts: int) -> float | None:
    """Return how long to wait before another attempt after so many, `None` when there should be none."""
    if reply.status is None:
        may_succeed = reply.broken is not None and reply.broken.kind in ("unreachable", "reset")
    else:
        may_succeed = reply.status in AGAIN
    if not may_succeed:
        return None
    asked = _retry_after_s(reply)
    if asked is None:
        return _FIRST_PAUSE_S * 2.0**attempts
    return asked if asked <= LONGEST_PAUSE_S else None


def said(reply: Reply, excerpt: Excerpt) -> str:
    """Return what the server says about an error, fit to show."""
    text = reply.body[: 1 << 16].decode(errors="replace")
    try:
        told = parsed(text)
    except NoSuchEvent:
        return excerpt(text)
    return excerpt(message(told.get("error") or told.get("message") or told.get("detail") or text))


def _without_reply(reply: Reply, question: Question) -> BackendError:
    broken = reply.broken
    if broken is None or broken.kind == "unreachable":
        why = "no connection" if broken is None else broken.what
        asking = f"{_in_attempts(question)}; is the server running, and is the address right?"
        return ServerError(f"{question.url}: {why}{asking}")
    if broken.kind == "timeout":
        return GenerationTimeout(f"{question.url}: {broken.what}")
    if broken.kind == "protocol":
        return ServerError(f"{question.url}: {question.excerpt(broken.what)}")
    hint = ""
    if broken.kind == "reset" and question.is_first and question.url.startswith("http:"):
        hint = "; if it is a server with TLS, the location should begin with https://"
    return ServerError(f"{question.url}: {broken.what}{_in_attempts(question)}{hint}")


def _in_attempts(question: Question) -> str:
    """Say how often it was tried, where that was more than once."""
    return f", in {question.attempts} attempts" if question.attempts > 1 else ""


def _of_status(reply: Reply, question: Question) -> BackendError:
    status = reply.status or 0
    if overflow := _overflow(reply, question):
        return overflow
    told = said(reply, question.excerpt)
    where = f"{question.url}: the server answered {status}"
    if 300 <= status < 400:
        target = question.excerpt(reply.headers.get("location", "nowhere"))
        return ServerError(
            f"{where} and redirects to {target}; redirects are not followed, give that address"
        )
    if status in (401, 403):
        return ServerError(f"{where}: {told or 'no reason'}; {_about_key(question)}")
    if status == 404:
        return ServerError(f"{where}: {told or 'nothing'}; {_about_models(question)}")
    if status in AGAIN and (asked := _retry_after_s(reply)) is not None:
        longer = f", longer than the {LONGEST_PAUSE_S:g} s that are waited" if asked > LONGEST_PAUSE_S else ""
        tried = _in_attempts(question)
        return ServerError(f"{where}{tried}: {told or 'no reason'}; it asks to wait {asked:g} s{longer}")
    return ServerError(f"{where}{_in_attempts(question)}: {told or 'no reason'}")


def _about_key(question: Question) -> str:
    if question.api_key_env is None:
        return "if it wants a key, name the environment variable that holds it in the option api_key_env"
    return f"the key in the environment variable {question.api_key_env} is not accepted"


def _about_models(question: Question) -> str:
    known = sorted(question.models())
    if question.model and known and question.model not in known:
        listed = ", ".join(question.excerpt(name) for name in known[:10])
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        return (
            f'it has no model "{question.excerpt(question.model)}", but {listed}{more}; set the option model'
        )
    return "is the location right, with its /v1?"


_SAID_LENGTH = re.compile(r"maximum context length is (\d+) tokens")
_SAID_NEED = re.compile(r"(?:requested|resulted in|total of at least) (\d+) tokens")
_SAID_PROMPT = re.compile(r"(?:has|contains) (\d+) input tokens")


def _overflow(reply: Reply, question: Question) -> ContextOverflow | None:
    """Return the overflow that llama-server or vLLM tells."""
    if reply.status not in (400, 413, 422):
        return None
    text = reply.body[: 1 << 16].decode(errors="replace")
    try:
        error = parsed(text).get("error")
    except NoSuchEvent:
        return None
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
        needed, limit = error.get("n_prompt_tokens"), error.get("n_ctx")
        if isinstance(needed, int) and isinstance(limit, int):
            return ContextOverflow(needed_tokens=needed + question.max_tokens, limit_tokens=limit)
    length, need, prompt = (said.search(text) for said in (_SAID_LENGTH, _SAID_NEED, _SAID_PROMPT))
    if length is None or (need is None and prompt is None):
        return None
    needed = int(need[1]) if need else question.max_tokens + int(prompt[1] if prompt else 0)
    return ContextOverflow(needed_tokens=needed, limit_tokens=int(length[1]))


def _retry_after_s(reply: Reply) -> float | None:
    """Return the seconds that the server asks to wait; a date is taken from the date of the reply."""
    told = reply.headers.get("retry-after", "").strip()
    if told.isdigit() and len(told) < 9:
        return float(told)
    try:
        asked, now = parsedate_to_datetime(told), parsedate_to_datetime(reply.headers.get("date", ""))
        return max(0.0, (asked - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter in "\n\r\t" else f"\\u{ord(letter):04x}"
