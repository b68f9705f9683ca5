"""Figures that a person gives to a command; a number that is none lies in no range."""

from __future__ import annotations

import math

import click


class Figure(click.FloatRange):
    """A number within a range; click's own lets `nan` pass, which is neither below nor above it."""

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Raises click.BadParameter."""
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]  # it takes texts
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number
