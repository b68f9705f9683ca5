"""What `gemma` of gemma.cpp writes, taken apart: the answer on stdout, the timings on stderr.

    stdout   .....\\n\\n<answer>\\n\\n      a dot per token of the prompt, which older builds write on stderr
    stderr   \\n[ Reading prompt ]
             \\n\\n[ Timing info ] Prefill: 12 ms for 4 prompt tokens (333.33 tokens / sec); Time to first token: 15 ms
             \\n[ Timing info ] Generate: 80 ms for 6 tokens (75.00 tokens / sec)

The blank line before the answer is written with its first token, so an answer that is over at once lacks it.
Source: google/gemma.cpp:gemma/run.cc, gemma/gemma.h (TimingInfo).
"""  # noqa: E501 - a line as it is written

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gemma_eval.backends.answer import StopStrings
from gemma_eval.records import Delta

MOST_BYTES = 4 << 20
"""No answer is longer: a program that writes more does not heed its limit of tokens."""
MOST_NOTES = 1 << 16
"""How many characters of stderr are kept, the last ones."""


class AnswerOutput:
    """The answer in the making, in the pieces that were read, each with the stamp of its read.

    A piece may hold several tokens, and how many is not known. What may belong to the blank line at the end
    or to a stop string waits until it cannot. `began_ns` is when the first token was there, though it may be
    one without text.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` end the answer and are no part of it."""
        self.dots = 0
        self.began_ns: int | None = None
        self.has_tokens = False
        self._deltas: list[Delta] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._stops = StopStrings(stops)
        self._head = ""
        self._newlines: tuple[int, ...] = ()
        self._bytes = 0
        self._last_ns = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stops.met

    @property
    def deltas(self) -> tuple[Delta, ...]:
        """The deltas so far."""
        return tuple(self._deltas)

    @property
    def text(self) -> str:
        """The joined texts of the deltas."""
        return "".join(delta.text for delta in self._deltas)

    def push(self, data: bytes, *, at_ns: int) -> None:
        """Take what was read. Raises ValueError for what is no answer: its message says what was written."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise ValueError(f"wrote more than {MOST_BYTES:,} bytes")
        self._last_ns = at_ns
        text, flaw = self._decoded(data)
        if self.began_ns is None:
            text = self._without_head(text, at_ns)
        if text:
            self.has_tokens = True
            self._take(text, at_ns)
        if flaw:
            raise ValueError(flaw)

    def finish(self) -> None:
        """Close the answer, now that the program has ended well. Raises ValueError: it is not whole."""
        _, flaw = self._decoded(b"", final=True)
        if flaw:
            raise ValueError(flaw)
        if self.began_ns is None:
            raise ValueError(f"wrote {self._head[-40:]!r} and no blank line after it")
        if self.has_tokens and len(self._newlines) < _BLANK:
            raise ValueError(f"wrote no blank line after the answer, which ends with {self.text[-40:]!r}")
        self._newlines = ()
        self._emit(self._stops.finish(), self._last_ns)

    def _decoded(self, data: bytes, *, final: bool = False) -> tuple[str, str | None]:
        """Return the text up to the first bytes that are none, and what is wrong with those."""
        try:
            return self._decoder.decode(data, final), None
        except UnicodeDecodeError as error:
            right, wrong = error.object[: error.start], error.object[error.start : error.start + 8]
            return right.decode("utf-8"), f"wrote bytes that are not UTF-8: {wrong!r}"

    def _without_head(self, text: str, at_ns: int) -> str:
        """Return what comes after the dots and the blank line that begin the output."""
        self._head += text
        whole = re.match(r"(\.*)\n\n", self._head)
        if whole:
            self.dots = len(whole[1])
            self.began_ns = at_ns
            return self._head[whole.end() :]
        if not re.fullmatch(r"\.*\n?", self._head):
            raise ValueError(f"began with {self._head[:40]!r}, not with dots and a blank line")
        return ""

    def _take(self, text: str, at_ns: int) -> None:
        """Release all but the newlines at the end, of which the last two may be the program's."""
        body = text.rstrip("\n")
        newlines = (at_ns,) * (len(text) - len(body))
        if body:
            self._release(len(self._newlines))
            self._emit(self._stops.push(body), at_ns)
        self._newlines += newlines
        self._release(max(0, len(self._newlines) - _BLANK))

    def _release(self, count: int) -> None:
        """Let the first of the waiting newlines go, each with its own stamp."""
        for at_ns in self._newlines[:count]:
            self._emit(self._stops.push("\n"), at_ns)
        self._newlines = self._newlines[count:]

    def _emit(self, text: str, at_ns: int) -> None:
        if text:
            self._deltas.append(Delta(text=text, n_tokens=None, at_ns=at_ns))


_BLANK = len("\n\n")


class Notes:
    """What stands on stderr: when the prompt is read, how long that and the answer took, what went wrong."""

    def __init__(self) -> None:
        self.text = ""
        self.reading_ns: int | None = None
        self.counted_ns: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, data: bytes, *, at_ns: int) -> None:
        """Take what was read."""
        self.text = (self.text + self._decoder.decode(data))[-MOST_NOTES:]
        if self.reading_ns is None and _READING in self.text:
            self.reading_ns = at_ns
        if self.counted_ns is None and "generated_tokens" in self.figures:
            self.counted_ns = at_ns

    @property
    def figures(self) -> Mapping[str, int]:
        """The numbers of the timing lines, those that there are; times are whole milliseconds."""
        found = {name: pattern.search(self.text) for name, pattern in FIGURES.items()}
        return {name: int(match[1]) for name, match in found.items() if match}

    @property
    def dots(self) -> int:
        """The dots of a build that writes them here."""
        found = re.search(re.escape(_READING) + r" (\.*)", self.text)
        return len(found[1]) if found else 0

    @property
    def last_line(self) -> str:
        """The last line that is not empty; `(nothing on stderr)` when there is none."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else "(nothing on stderr)"

    def overflow(self, *, max_tokens: int, context_tokens: int | None) -> tuple[int, int] | None:
        """Return how many tokens are needed and how many there is room for, when the program has said so.

        It shortens an answer that does not fit, and gives up on a prompt that does not. An older one does not
        name the room for a prompt; then it is the `context_tokens` that were asked for.
        """
        for pattern in _OVERFLOWS:
            if found := pattern.search(self.text):
                numbers = {name: int(value) for name, value in found.groupdict().items() if value}
                limit = numbers.get("limit", context_tokens)
                needed = numbers.get("prompt", 0) + numbers.get("answer", max_tokens)
                return None if limit is None else (needed, limit)
        return None


FIGURES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "prompt_ms": re.compile(r"Prefill: (\d+) ms "),
        "prefill_tokens": re.compile(r"Prefill: \d+ ms for (\d+) prompt tokens"),
        "time_to_first_token_ms": re.compile(r"Time to first token: (\d+) ms"),
        "decode_ms": re.compile(r"Generate: (\d+) ms "),
        "generated_tokens": re.compile(r"Generate: \d+ ms for (\d+) tokens"),
    }
)
"""The numbers of the timing lines by their names in `engine_timings`; a build may lack any of them."""

_READING = "[ Reading prompt ]"
_OVERFLOWS = (
    re.compile(r"prefill (?P<prompt>\d+) \+ max_gen_steps (?P<answer>\d+) > seq_len (?P<limit>\d+), trunc"),
    re.compile(r"max_prompt_size = (?P<prompt>\d+), (?:seq_len = (?P<limit>\d+), )?increase"),
    re.compile(r"max_generated_tokens (?P<answer>\d+) > kSeqLen (?P<limit>\d+), trunc"),
)
