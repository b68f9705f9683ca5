"""What a chat has chosen by name: its model, profile and template, and what it changed of the profile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from gemma_eval.backends.refusals import clause, of_profile
from gemma_eval.cli import chosen
from gemma_eval.config.catalog import Catalog
from gemma_eval.config.profiles import parse
from gemma_eval.config.settings import Settings
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.files import variables
from gemma_eval.plugins import Registry
from gemma_eval.prompts.check import check, unfit
from gemma_eval.records import ModelSpec, SamplingProfile, Template

Kind = Literal["model", "profile", "template"]
KINDS: tuple[Kind, ...] = ("model", "profile", "template")

_KEY = re.compile(r"\s*([^\s=]+)=")
_WORD = re.compile(r"\S*")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Names, and what they stand for in the files and settings as they were read last.

    `named` are those that a person has given, in the command line or in the chat; for others the settings
    are asked, and where these name no template `template_of_all` is taken. `changes` are keys of the profile
    that have another value in this chat, `texts` the variables that the template is given.
    """

    catalog: Catalog
    settings: Settings
    template_of_all: str = "plain"
    named: Mapping[Kind, str] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def name(self, kind: Kind) -> str:
        """Return the name that counts."""
        settings = self.settings
        default: dict[Kind, str] = {
            "model": settings.chat_model,
            "profile": settings.chat_profile,
            "template": settings.chat_template or self.template_of_all,
        }
        return self.named.get(kind) or default[kind]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return all names that there are."""
        of: dict[Kind, Mapping[str, object]] = {
            "model": self.catalog.models,
            "profile": self.catalog.profiles,
            "template": self.catalog.templates,
        }
        return tuple(of[kind])

    @cached_property
    def model(self) -> ModelSpec:
        """The model. Raises UnknownName."""
        return chosen.find("model", self.name("model"), self.catalog.models)

    @cached_property
    def profile(self) -> SamplingProfile:
        """The profile as it is in this chat. Raises UnknownName, UsageError."""
        found = chosen.find("profile", self.name("profile"), self.catalog.profiles)
        return changed(found, self.changes) if self.changes else found

    @cached_property
    def template(self) -> Template:
        """The template. Raises UnknownName."""
        return chosen.find("template", self.name("template"), self.catalog.templates)

    def switched(self, kind: Kind, name: str) -> Chosen:
        """Return the choice with another model, profile or template, which begins as its file has it."""
        changes = {} if kind == "profile" else self.changes
        texts = {} if kind == "template" else self.texts
        return replace(self, named={**self.named, kind: name}, changes=changes, texts=texts)

    def with_changes(self, text: str) -> Chosen:
        """Return the choice with `key=value …` in its profile; `key=` takes one back. Raises UsageError."""
        changes = {**self.changes}
        for key, value in values(text):
            if value == "":
                changes.pop(key, None)
            else:
                changes[key] = value
        return replace(self, changes=changes)

    def with_texts(self, text: str) -> Chosen:
        """Return the choice with `name=value …` for its template; `name=` takes back. Raises UsageError."""
        texts = {**self.texts}
        for name, value in values(text):
            if what := variables.flaw(name) or variables.clash(name):
                raise UsageError(f"the variable {what}")
            texts[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return replace(self, texts={name: value for name, value in texts.items() if value})

    def check(self, registry: Registry) -> None:
        """Look at everything that is chosen before any of it is used.

        Raises UnknownName, TemplateError, and UsageError where model and profile do not go together.
        """
        model, profile = self.model, self.profile
        check(self.template, given=self.texts)
        if what := unfit(self.template, model.name):
            raise UsageError(f'model "{model.name}": {what}')
        if missing := lacking(self.template, self.texts):
            what = f'needs the variable "{missing}"'
            raise UsageError(f'template "{self.template.name}" {what}; give it: /template {missing}=…')
        if model.backend in registry.embedders and model.backend not in registry.backends:
            raise UsageError(f'model "{model.name}": {model.backend} makes vectors and writes no answers')
        if reason := of_profile(registry.backends.find(model.backend), model, profile):
            raise UsageError(f'model "{model.name}" with profile "{profile.name}": {clause(model, reason)}')


def lacking(template: Template, texts: Mapping[str, str]) -> str | None:
    """Return the first variable that a template needs and nobody gives, `None` for none."""
    return next(
        (name for name, value in template.variables.items() if value is None and name not in texts), None
    )


def table_of(profile: SamplingProfile) -> dict[str, object]:
    """Return what profiles.json says of a profile: all that is not left at its default."""
    plain = SamplingProfile(name=profile.name)
    own = {each.name: getattr(profile, each.name) for each in fields(profile)}
    given = {key: value for key, value in own.items() if value != getattr(plain, key)}
    return {key: _plain(value) for key, value in given.items()}


def changed(profile: SamplingProfile, changes: Mapping[str, object]) -> SamplingProfile:
    """Return a profile with other values of keys, looked at as those of a file are. Raises UsageError."""
    table = {"version": 1, "profiles": {profile.name: {**table_of(profile), **changes}}}
    try:
        return parse(json.dumps(table), path=Path("profiles.json"))[profile.name]
    except ConfigError as error:
        raise UsageError("\n".join(problem.what for problem in error.problems)) from error


def values(text: str) -> Iterator[tuple[str, object]]:
    """Yield the keys and values of `key=value key=value`: JSON, or a word. Raises UsageError."""
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        key = _KEY.match(text, at)
        if key is None:
            rest = text[at:].strip()
            raise UsageError(f'"{rest}" is no key=value, as temperature=0.7')
        word = _WORD.match(text, key.end())
        value: object = word.group() if word else ""
        end = word.end() if word else key.end()
        try:
            found, after = decoder.raw_decode(text, key.end())
        except ValueError:
            pass
        else:
            if after == len(text) or text[after].isspace():
                value, end = found, after
        yield key.group(1), value
        at = end


def _plain(value: object) -> object:
    """Return a value as JSON has it, a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
