"""The commands of a chat, which begin with a slash: what each is called with, and what it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_eval.cli import chat_shown as shown
from gemma_eval.cli.chat_chosen import Chosen, Kind, table_of
from gemma_eval.cli.chat_memory import is_exchange
from gemma_eval.config.profiles import ProfileRow
from gemma_eval.errors import UsageError, suggestion

if TYPE_CHECKING:
    from gemma_eval.cli.chat_talk import Talk


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What stands after a command, what it does in words, and what does it."""

    given: str = ""
    what: str
    do: Callable[[Talk, str], None]


def obey(talk: Talk, text: str) -> bool:
    """Do what a line that begins with a slash says, and return whether that ends the chat.

    Raises what the command raises, all of it GemmaEvalError.
    """
    name, _, given = text.partition(" ")
    if name in ENDS:
        return True
    if name not in COMMANDS:
        known = (*COMMANDS, *ENDS)
        raise UsageError(
            f'no command "{name}"{suggestion(name, known)} (a space before the slash makes it something said)'
        )
    COMMANDS[name].do(talk, given.strip())
    return False


def completions(talk: Talk, line: str) -> Sequence[str]:
    """Return the words that a line may go on with: commands, then the names that one of them takes."""
    name, space, given = line.partition(" ")
    if not space:
        return [f"{each} " for each in (*COMMANDS, *ENDS) if each.startswith(name)] if line else []
    word = given.rpartition(" ")[2]
    return [each for each in _words(talk, name, given) if each.startswith(word)]


def _words(talk: Talk, name: str, given: str) -> Sequence[str]:
    if name == "/profile":
        keys = [f"{key}=" for key in ProfileRow.model_fields]
        return [*talk.chosen.names("profile"), *keys] if " " not in given else keys
    if name in ("/model", "/template"):
        kind: Kind = "model" if name == "/model" else "template"
        return talk.chosen.names(kind)
    if name == "/stats":
        return ["all"]
    if name == "/save":
        from gemma_eval.cli.chat_save import NO_SUITES

        return [str(path) for path in sorted(Path().glob("*.toml")) if path.name not in NO_SUITES]
    return ()


def _help(talk: Talk, given: str) -> None:
    del given
    rows = [(f"{name} {each.given}".rstrip(), each.what) for name, each in COMMANDS.items()]
    rows.append((", ".join(ENDS), "end, as Ctrl-D does"))
    width = max(len(left) for left, _ in rows)
    lines = [f"{left:<{width}}  {what}" for left, what in rows]
    lines.append(
        'Lines between """ and """, and one that ends with \\, are one message; Ctrl-C stops an answer.'
    )
    talk.screen.say("\n".join(lines))


def _model(talk: Talk, given: str) -> None:
    if not given:
        talk.screen.say(_one_of(talk, "model"))
        return
    chosen = talk.chosen.switched("model", given)
    chosen.check(talk.registry)
    talk.put_engine(chosen.model)
    talk.take(chosen)
    talk.screen.note(f"model {given}")


def _template(talk: Talk, given: str) -> None:
    if not given:
        texts = [
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in talk.chosen.texts.items()
        ]
        talk.screen.say("\n".join([_one_of(talk, "template"), *texts]))
        return
    chosen, texts_given = _switched(talk.chosen, "template", given)
    talk.take(chosen.with_texts(texts_given))
    talk.screen.note(f"template {talk.session.template.name} {texts_given}".rstrip())


def _profile(talk: Talk, given: str) -> None:
    if not given:
        own_values = [f"{key}={json.dumps(value)}" for key, value in talk.chosen.changes.items()]
        more = f"; changed in this chat: {' '.join(own_values)}" if own_values else ""
        own = json.dumps(table_of(talk.session.profile), ensure_ascii=False)
        talk.screen.say(f"{_one_of(talk, 'profile')}\n{own}{more}")
        return
    chosen, changes = _switched(talk.chosen, "profile", given)
    talk.take(chosen.with_changes(changes))
    talk.screen.note(f"profile {talk.session.profile.name} {changes}".rstrip())


def _switched(chosen: Chosen, kind: Kind, given: str) -> tuple[Chosen, str]:
    """Return the choice after a name that stands first, if one does, and what follows it."""
    first, _, rest = given.partition(" ")
    return (chosen, given) if "=" in first else (chosen.switched(kind, first), rest.strip())


def _one_of(talk: Talk, kind: Kind) -> str:
    return f"{kind} {talk.chosen.name(kind)}, of {', '.join(sorted(talk.chosen.names(kind)))}"


def _system(talk: Talk, given: str) -> None:
    if not given:
        talk.screen.say(talk.session.system or "there is no system turn; /system TEXT sets one")
        return
    talk.session.system = "" if given in ('""', "''") else given
    talk.screen.note("system turn set" if talk.session.system else "system turn removed")


def _stats(talk: Talk, given: str) -> None:
    if given not in ("", "all"):
        raise UsageError(f'/stats takes nothing or "all", not "{given}"')
    session = talk.session
    talk.screen.say(shown.stats_of_all(session.made) if given else shown.stats(session.last))


def _retry(talk: Talk, given: str) -> None:
    _refuse(given, "/retry")
    if not talk.session.turns:
        raise UsageError("nothing was said yet")
    if talk.session.profile.temperature == 0:
        talk.screen.note(
            "this profile is greedy and gives the same answer again; /profile temperature=1 draws"
        )
    talk.show(lambda: talk.session.retry(tell=talk.screen.tell))


def _undo(talk: Talk, given: str) -> None:
    _refuse(given, "/undo")
    turn = talk.session.undo()
    what = "conversation and memory" if turn.kept else "the conversation"
    talk.screen.note(f"taken back out of {what}: {_short(turn.asked)}")


def _clear(talk: Talk, given: str) -> None:
    _refuse(given, "/clear")
    kept = sum(not is_exchange(id_) for turn in talk.session.turns for id_ in turn.kept)
    n = talk.session.clear()
    exchanges = "1 exchange is" if n == 1 else f"{n} exchanges are"
    more = ""
    if kept:
        more = (
            f"; the memory keeps {kept} {'sentence' if kept == 1 else 'sentences'} (gemma-eval memory forget)"
        )
    talk.screen.note(f"{exchanges} forgotten{more}")


def _history(talk: Talk, given: str) -> None:
    _refuse(given, "/history")
    lines = list(shown.spoken(talk.session.history))
    talk.screen.say("\n".join(lines) if lines else "nothing was said yet")


def _memory(talk: Talk, given: str) -> None:
    """Say what is kept, or what would be found for a question."""
    memory = talk.session.memory
    if memory is None:
        raise UsageError("this chat has no memory; --memory names one")
    if given:
        found = memory.find(given)
        talk.screen.say("\n".join(f"- {each.text}" for each in found) if found else "nothing is found")
        return
    counts = memory.store.stats(now_s=talk.session.now_s()).passages
    kept = ", ".join(f"{n} {tier}" for tier, n in counts.items() if n) or "no passages yet"
    talk.screen.say(f"{memory.store.location}: {kept}")


def _save(talk: Talk, given: str) -> None:
    from gemma_eval.cli.chat_save import save

    save(talk, given)


def _refuse(given: str, command: str) -> None:
    if given:
        raise UsageError(f'{command} takes nothing, not "{given}"')


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


COMMANDS: Mapping[str, Command] = {
    "/profile": Command(
        given="[NAME] [KEY=VALUE …]", what="show the sampling, switch it, or change it here", do=_profile
    ),
    "/template": Command(
        given="[NAME] [KEY=VALUE …]",
        what="show or switch the prompt template, and what it is given",
        do=_template,
    ),
    "/model": Command(given="[NAME]", what="show the model, or load another one", do=_model),
    "/system": Command(given="[TEXT]", what='show or set the system turn; "" removes it', do=_system),
    "/stats": Command(given="[all]", what="what the last answer took, or all of them", do=_stats),
    "/retry": Command(what="ask the last question again, with the next seed", do=_retry),
    "/undo": Command(what="take the last exchange back", do=_undo),
    "/clear": Command(what="forget the conversation", do=_clear),
    "/history": Command(what="show the conversation", do=_history),
    "/memory": Command(
        given="[TEXT]", what="say what is remembered, or what is found for a text", do=_memory
    ),
    "/save": Command(
        given="SUITE.toml [ID] [contains TEXT]", what="make the last exchange a case of a suite", do=_save
    ),
    "/help": Command(what="show these commands", do=_help),
}
ENDS = ("/quit", "/exit")
