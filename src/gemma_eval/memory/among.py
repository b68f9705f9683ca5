"""Which passages a search may find: the rule that every source and store follows."""

from __future__ import annotations

from gemma_eval.records import Among, Piece


def is_among(piece: Piece, among: Among) -> bool:
    """Return whether a search among these may find a passage.

    Of a passage without a time nobody knows that it is young enough, so `since_s` leaves it out.
    """
    if among.tiers and piece.tier not in among.tiers:
        return False
    if among.documents and piece.document not in among.documents:
        return False
    if among.tags and not set(among.tags) & set(piece.tags):
        return False
    if among.since_s is not None and (piece.at_s is None or not piece.at_s >= among.since_s):
        return False
    return among.now_s is None or piece.expires_s is None or piece.expires_s >= among.now_s
