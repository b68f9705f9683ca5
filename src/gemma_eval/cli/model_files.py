"""`gemma-eval models export-gguf | serve`: work on the files of a model."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from gemma_eval.errors import UnknownName, UsageError


@click.command("export-gguf", short_help="Write a model as a GGUF file.")
@click.argument("location")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--dtype",
    default="F16",
    show_default=True,
    help="How matrices are stored: F32, F16, Q8_0 (8.5 bits per weight) or Q4_0 (4.5).",
)
@click.option("--replace", "replaces", is_flag=True, help="Replace TARGET if it exists.")
def export_gguf(*, location: str, target: Path, dtype: str, replaces: bool) -> None:
    """Write the Gemma 2 or 3 at LOCATION, a Hugging Face folder or @pocket, as the GGUF file TARGET.

    The file runs in llama.cpp and here, with its tokenizer and chat template. Norms are always float32.
    """
    from gemma_eval.backends.model_files import locate  # here, so that --help loads no NumPy
    from gemma_eval.gemma import gguf_write

    known = {name.lower(): name for name in get_args(gguf_write.Dtype)}
    if dtype.lower() not in known:
        raise UnknownName("dtype", dtype.upper(), known.values())
    folder = locate(location)
    if not folder.is_dir():
        raise UsageError(f"{location}: is a GGUF file already; give the folder that it was made from")
    if target.exists() and not replaces:
        raise UsageError(f"{target}: exists; give another name, or --replace to replace it")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: is no ordinary file, and is not replaced; give the name of a file")
    try:
        gguf_write.write(folder, target, dtype=known[dtype.lower()])
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror or error}") from error
    click.echo(f"{target}: {target.stat().st_size:,} bytes, {known[dtype.lower()]}")


@click.command(short_help="Serve a GGUF model over HTTP on this machine.")
@click.argument("location", default="@pocket")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any.")
@click.option("--parallel", type=int, default=16, show_default=True, help="Requests answered at once.")
@click.option("--context-tokens", type=int, help="Tokens of prompt and answer; the model's own if not given.")
@click.option("--threads", type=int, help="Threads that compute; as the backend llama_cpp if not given.")
def serve(
    *, location: str, port: int, parallel: int, context_tokens: int | None, threads: int | None
) -> None:
    """Serve the GGUF model at LOCATION over HTTP, as OpenAI's protocol has it, until Ctrl-C.

    It runs in llama.cpp, in this process, and only for programs on this machine. A model of models.toml with
    backend = "openai_http" and the printed address measures it.
    """
    import threading

    from gemma_eval.backends.llama_cpp.file import read
    from gemma_eval.backends.llama_cpp.serve import served
    from gemma_eval.backends.llama_cpp.settings import settings
    from gemma_eval.records import ModelSpec

    options = {"parallel": parallel} | ({} if threads is None else {"threads": threads})
    spec = ModelSpec(
        name=location,
        backend="llama_cpp",
        location=location,
        context_tokens=context_tokens,
        options=options,
    )
    with served(settings(spec, read(location)), port=port) as address:
        click.echo(f"{location} is served at {address}; Ctrl-C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo()
