"""`--gemma-open`: opens the report of a run in a browser when everything else is said."""

from __future__ import annotations

import webbrowser

import pytest

from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.problems import relative
from gemma_eval.pytest_plugin.recording import Recording


class Opening:
    """Opens the report of the run that this process records."""

    def __init__(self, evaluation: Evaluation, recording: Recording) -> None:
        """Wait for the end of this run."""
        self._evaluation = evaluation
        self._recording = recording

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Open the report if there is one, and say so where no browser does."""
        recorder = self._recording.recorder
        if recorder is None:
            return
        path = self._evaluation.settings.reports / recorder.run.id / "report.html"
        if path.is_file() and not webbrowser.open(path.absolute().as_uri()):
            shown = relative(path, self._evaluation.here)
            terminalreporter.write_line(f"no browser could be opened; the report is {shown}")
