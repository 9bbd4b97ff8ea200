"""Names that are almost a setting's: a slip of the pen must not leave the default in place. Pure.

Called by `Settings.load` with the names of the whole environment, most of which are none of ours.
"""

from __future__ import annotations

from collections.abc import Iterable

FAR = 2  # so many letters may be wrong, missing, too many or swapped


def misspelt(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the names that are one or two letters off a known one, each with the nearest."""
    known = set(known)
    found = {}
    for name in sorted(set(names) - known):
        near = [(letters_off(name, one), one) for one in known if abs(len(name) - len(one)) <= FAR]
        distance, nearest = min(near, default=(FAR + 1, ""))
        if distance <= FAR:
            found[name] = nearest
    return found


def letters_off(one: str, other: str) -> int:
    """Return how many letters must be changed, added, left out or swapped with their neighbour.

    https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance#Optimal_string_alignment_distance
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        older, before, row = before, row, [place]
        for column, against in enumerate(other, 1):
            best = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != against))
            is_swap = place > 1 and column > 1 and letter == other[column - 2] and one[place - 2] == against
            row.append(min(best, older[column - 2] + 1) if is_swap else best)
    return row[-1]
