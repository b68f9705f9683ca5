"""Answers that are given again: to the same question, or to one that is shown to ask the same."""
