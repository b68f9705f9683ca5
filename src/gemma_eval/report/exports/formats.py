"""The formats that a run can be exported in, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gemma_eval.records import Report
from gemma_eval.report.exports.csv_file import csv_files
from gemma_eval.report.exports.eee.export import eee
from gemma_eval.report.exports.files import ExportedFile
from gemma_eval.report.exports.lm_eval import lm_eval
from gemma_eval.report.exports.parquet import parquet_files

Exporter = Callable[[Report], tuple[ExportedFile, ...]]
"""Makes all files of a run; the same run gives the same bytes."""

FORMATS: Mapping[str, Exporter] = {
    "csv": csv_files,
    "eee": eee,
    "lm-eval": lm_eval,
    "parquet": parquet_files,
}
