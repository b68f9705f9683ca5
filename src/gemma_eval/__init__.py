"""Measure local language models, Gemma first, for quality and speed on the same generations, from pytest."""

from __future__ import annotations

from gemma_eval.hookspecs import hookimpl

__all__ = ["__version__", "hookimpl"]
__version__ = "0.1.0"
