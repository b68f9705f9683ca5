"""The panel of progress as a person sees it: what runs, how much is done, and how each group does so far."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gemma_eval.pytest_plugin.progress import Progress, SoFar
from gemma_eval.records import Group
from gemma_eval.report import numbers
from gemma_eval.report.visible import visible

_AROUND = 5
"""Lines that are no row of the table: the bar, what runs, what failed, the headings, and one to spare."""
_BAR = 30


def panel(progress: Progress, *, gone_s: float, height: int) -> RenderableType:
    """Return it, in no more lines than that."""
    return Lines(_done(progress, gone_s=gone_s), *_told(progress), _groups(progress, rows=height - _AROUND))


def clock(seconds: float) -> str:
    """Write a duration as a clock does: `0:07`, `12:40`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _done(progress: Progress, *, gone_s: float) -> RenderableType:
    left_s = progress.remaining_s()
    line = Table.grid(padding=(0, 2))
    failed = len(progress.failed)
    line.add_row(
        ProgressBar(total=max(progress.planned, 1), completed=progress.done, width=_BAR),
        Text(f"{progress.done}/{progress.planned}"),
        Text(f"{failed} failed", style="red" if failed else ""),
        Text(f"{clock(gone_s)} gone"),
        Text("" if left_s is None else f"about {clock(left_s)} left"),
    )
    return line


def _told(progress: Progress) -> Iterator[Text]:
    latest = [] if progress.latest is None else [progress.latest]  # what follows begins in a moment
    runs = list(progress.running) or latest
    for word, nodeids, style in (("runs", runs, ""), ("failed", progress.failed, "red")):
        if nodeids:
            more = f" and {len(nodeids) - 1} more" if len(nodeids) > 1 else ""
            yield _line(f"{word:<8}{_label(nodeids[-1])}{more}", style)


def _groups(progress: Progress, *, rows: int) -> RenderableType:
    groups = list(progress.groups.items())
    shown = groups if len(groups) <= rows else _nearest(groups, rows=max(rows - 1, 1))
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    has_retrieval = any(group.retrieval for group, _ in groups)
    axes = ("model", "profile", "template", *(("retrieval",) if has_retrieval else ()))
    for axis in axes:
        table.add_column(axis, no_wrap=True, overflow="ellipsis")
    for figure in ("done", "failed", "score", "tokens/s"):
        table.add_column(figure, justify="right", no_wrap=True)
    for group, so_far in shown:
        names = (Text(visible(getattr(group, axis)) or numbers.MISSING) for axis in axes)
        table.add_row(*names, *_figures(so_far))
    if len(shown) < len(groups):
        return Lines(table, _line(f"{len(groups) - len(shown)} more are done or wait", "dim"))
    return table


def _nearest(groups: list[tuple[Group, SoFar]], *, rows: int) -> list[tuple[Group, SoFar]]:
    """Return the groups that are at work, with those that were last and will be next."""
    at = next((n for n, (_, so_far) in enumerate(groups) if so_far.done < so_far.planned), len(groups) - 1)
    begin = max(0, min(at - rows // 2, len(groups) - rows))
    return groups[begin : begin + rows]


def _figures(so_far: SoFar) -> tuple[str, ...]:
    score = numbers.MISSING if so_far.score is None else f"{so_far.score:.2f}"
    failed = str(so_far.failed) if so_far.failed else ""
    return f"{so_far.done}/{so_far.planned}", failed, score, numbers.known(so_far.tokens_per_s)


def _label(nodeid: str) -> str:
    """Return what a node id names within its file."""
    return visible(nodeid.partition("::")[2] or nodeid)


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
