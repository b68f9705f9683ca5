"""In which order `gemma-eval --help` shows the commands, under which word, and what it says of each.

What it says of those that ship stands here, so that the help and the completion of a shell load none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Measure": {
        "benchmark": "Measure suites, and write the report.",
        "watch": "Rerun what an edit touches, and show the difference.",
        "sweep": "Find the highest rate of requests that keeps an SLO.",
        "plan": "Say what would run, how long, and what it may find.",
        "selftest": "Measure what measuring costs; check the scorers.",
    },
    "Look": {
        "runs": "List the recorded runs, newest first.",
        "report": "Write the reports of a recorded run again.",
        "compare": "Say how runs, models, templates or others differ.",
        "history": "Show a metric run by run, and where its level changed.",
        "steps": "Show what each step of retrievals takes.",
        "export": "Write a recorded run for other tools.",
    },
    "Decide": {
        "gate": "Hold a recorded run against its base again.",
        "accept": "Accept a regression for a while, with a reason.",
        "baseline": "Name the runs that others are held against.",
    },
    "Again": {
        "rescore": "Score the answers of a recorded run again.",
        "recompute": "Compute the measurements of a run anew.",
        "judge": "Find out whether a model can judge answers.",
    },
    "Talk": {"chat": "Talk to a model, which may remember."},
    "Write": {
        "suite": "Begin a suite, check it, list those that there are.",
        "import": "Make a suite of files of another framework.",
        "schema": "Print the JSON Schema of a file, for editors.",
    },
    "Choose": {
        "models": "The models: list, add, test, convert, serve.",
        "profiles": "The sampling profiles: list, show, compare, change.",
        "templates": "The prompt templates: list, show, render, lint.",
        "config": "Show, set and check settings, and where they come from.",
    },
    "Keep": {
        "memory": "Keep passages between runs, and search them.",
        "cache": "Measure a cache of answers, and look into one.",
    },
    "Help": {
        "doctor": "Say what works here, and what to do about the rest.",
        "plugins": "List plugins, and what they have added.",
        "completion": "Print what makes a shell complete names.",
    },
}
"""What ships, by what a person is about to do."""

PLUGINS = "Plugins"
"""What has been added comes last."""


def sections(names: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections that have commands among `names`, with these in order."""
    placed = {name for section in SECTIONS.values() for name in section}
    added = sorted(set(names) - placed)
    for title, section in (*SECTIONS.items(), (PLUGINS, added)):
        present = [name for name in section if name in names]
        if present:
            yield title, present


def line(name: str) -> str:
    """Return what is said of a command that ships, "" of any other."""
    return next((section[name] for section in SECTIONS.values() if name in section), "")
