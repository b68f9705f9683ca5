"""What is known of a suite before it is run: its size, what is wrong with it, and what cannot run here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gemma_eval.cli import chosen
from gemma_eval.errors import ConfigError, GemmaEvalError, ModelNotFound, Problem, SuiteError
from gemma_eval.plugins import Registry
from gemma_eval.records import Cell, ModelSpec, Skipped

_EXTRA = re.compile(r'pip install (?:--no-deps [\w-]+|"gemma_eval\[[\w,-]+\]")')


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A suite that was read: with `problems` it cannot run and nothing else is known of it.

    `skipped` are cells that cannot run here, `missing` why a model will not load, `needs` what to install.
    """

    path: Path
    problems: tuple[Problem, ...] = ()
    description: str = ""
    cases: int = 0
    cells: int = 0
    trials: int = 0
    models: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """Return it as builtin values, for JSON."""
        return {
            **asdict(self),
            "path": str(self.path),
            "problems": [
                {"path": str(each.path), "line": each.line, "what": each.what} for each in self.problems
            ],
        }


def checked(path: Path, registry: Registry) -> Checked:
    """Read a suite as pytest does before it runs anything; no engine is loaded. Raises PluginError."""
    from gemma_eval.executors.refusals import refuse_malformed, refuse_unknown_backends, refused, skipped
    from gemma_eval.suite import load_suite

    try:
        suite, cells = load_suite(path, registry, say=chosen.say)
        refuse_unknown_backends(cells, registry)
        refuse_malformed(cells, registry, suite=path)
    except GemmaEvalError as error:
        return Checked(path=path, problems=tuple(_problems(error, path)))
    left_out = skipped(cells, refused(cells, registry))
    missing = tuple(_missing(cells))
    return Checked(
        path=path,
        description=suite.description,
        cases=len({cell.case.id for cell in cells}),
        cells=len(cells),
        trials=sum(cell.case.n_trials for cell in cells),
        models=tuple(dict.fromkeys(cell.model.name for cell in cells if cell.asks_model)),
        skipped=left_out,
        missing=missing,
        needs=tuple(_needs([*(each.reason for each in left_out), *missing])),
    )


def _problems(error: GemmaEvalError, path: Path) -> Iterator[Problem]:
    """Yield what is wrong, with paths as a person would type them."""
    if isinstance(error, SuiteError | ConfigError):
        yield from (replace(problem, path=nearer(problem.path)) for problem in error.problems)
    else:
        yield from (Problem(path=nearer(path), line=0, what=line) for line in str(error).splitlines())


def nearer(path: Path) -> Path:
    """Return a path as seen from the folder that one works in when it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _missing(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield why a model will not load whose files are to lie on this machine."""
    specs = {spec.name: spec for cell in cells for spec in (cell.model, *cell.judges) if spec.location}
    for spec in specs.values():
        if reason := _lacks(spec):
            yield f'model "{spec.name}": {reason}'


def _lacks(spec: ModelSpec) -> str | None:
    """Return what a model lacks; what a server or a program of its own has is not looked for."""
    from gemma_eval.backends.extras import lacking
    from gemma_eval.backends.model_files import locate

    if spec.backend not in ("numpy_gemma", "llama_cpp", "hf_transformers", "sentence_bert", "onnx_bert"):
        return None
    if spec.location.startswith("@"):
        is_export = spec.backend == "numpy_gemma" and spec.location.endswith(".gguf")
        return lacking("gguf", extra="gguf") if is_export else None
    try:
        locate(spec.location)
    except ModelNotFound as error:
        return str(error)
    return None


def _needs(reasons: Sequence[str]) -> Iterator[str]:
    """Yield the pip lines that reasons name, each once."""
    yield from dict.fromkeys(line for reason in reasons for line in _EXTRA.findall(reason))
