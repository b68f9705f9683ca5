"""How fast each model was when it was last measured, from the views of a results database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gemma_eval.errors import StoreError

_LAST = """
SELECT o.model, o.output_tokens_per_s, last.started_utc, last.run_id
FROM (
  SELECT model, max(started_utc) AS started_utc, run_id FROM (
    SELECT DISTINCT plan.model, run.started_utc, run.run_id
    FROM v_run AS run JOIN v_outcome AS plan USING(run_id) WHERE plan.output_tokens_per_s IS NOT NULL
  ) GROUP BY model
) AS last JOIN v_outcome AS o ON o.run_id = last.run_id AND o.model = last.model
WHERE o.output_tokens_per_s IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """The median of the answers of one run, of `n` of them, and when that was begun."""

    output_tokens_per_s: float
    n: int
    run: str
    started_utc: str


def last_measured(path: Path) -> Mapping[str, Measured]:
    """Return the newest figures by the names of models; none where no database can be read."""
    from gemma_eval.store.connection import open_to_read, store_errors

    rates: dict[str, list[float]] = {}
    runs: dict[str, tuple[str, str]] = {}
    try:
        with closing(open_to_read(path)) as connection, store_errors(path):
            for model, rate, started_utc, run in connection.execute(_LAST):
                rates.setdefault(str(model), []).append(rate)
                runs[str(model)] = (run, started_utc)
    except StoreError:
        return {}
    return {
        model: Measured(
            output_tokens_per_s=median(rates[model]), n=len(rates[model]), run=run, started_utc=started_utc
        )
        for model, (run, started_utc) in runs.items()
    }
