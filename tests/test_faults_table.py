"""docs/faults.md is what `make faults` plays, and a sample of it holds in every run."""

from __future__ import annotations

import pytest

from benchmarks import new_world
from benchmarks.faults import CALLS, KINDS, PAGE, Call, Cell, Kind, page, play

KINDS_BY_NAME = {kind.name: kind for kind in KINDS}
# Each fault once, each call at least once; what is slow in true time is left to `make faults`.
SAMPLE = [
    (CALLS[(3 * number) % len(CALLS)], kind) for number, kind in enumerate(KINDS) if kind.how != "silence"
]
MERGE, MAIL = CALLS[-1], next(call for call in CALLS if call.nth is None)


@pytest.mark.parametrize(
    "call, kind",
    [*SAMPLE, (MERGE, KINDS_BY_NAME["reset after it acted"]), (MERGE, KINDS_BY_NAME["403"])],
    ids=str,
)
def test_a_fault_of_one_call_is_healed_within_a_minute_of_its_end(call: Call, kind: Kind) -> None:
    cell = play(call, kind)
    assert cell.is_kept(call, kind), f"{call.name}, {kind.name}: {cell}"


def test_the_sample_has_every_call() -> None:
    assert {call for call, _ in SAMPLE} == set(CALLS)


def test_the_calls_are_those_of_a_plain_life_in_their_order() -> None:
    with new_world(RELEASE_BRANCH="") as world:
        world.open()
        world.settle()
        world.decide()
        world.settle()
        made = [(call.method, call.path) for call in world.github.calls]
    to_github = [call for call in CALLS if call.nth is not None]
    assert len(made) == len(to_github)
    assert [call.nth for call in to_github] == list(range(len(made)))
    for call, (method, path) in zip(to_github, made, strict=True):
        assert (call.method, call.fits(path)) == (method, True), call.name


def test_the_page_has_the_rows_and_columns_and_words_of_the_program_and_only_kept_cells() -> None:
    fine = {(call, kind): Cell(1, 1, 1, 0) for call in CALLS for kind in KINDS}
    written, wanted = PAGE.read_text(), page(fine)
    assert shape(written) == shape(wanted)
    assert written.partition("| fault")[0] == wanted.partition("| fault")[0]
    for name, *cells in table(written)[2:]:
        for call, cell in zip(CALLS, cells, strict=True):
            most = max(60, KINDS_BY_NAME[name].wait)
            healed, _, more = cell.partition(" s")
            assert float(healed) <= most, f"{call.name}, {name}: {cell}"
            assert not more or (call is MAIL and more.endswith("mails")), f"{call.name}, {name}: {cell}"


@pytest.mark.parametrize(
    "cell",
    [
        Cell(0, 1, 1, None),
        Cell(2, 1, 1, 0),
        Cell(1, 2, 1, 0),
        Cell(1, 0, 1, 0),
        Cell(1, 1, 2, 0),
        Cell(1, 1, 1, 61),
    ],
    ids=str,
)
def test_a_cell_that_is_not_as_promised_is_found(cell: Cell) -> None:
    assert not cell.is_kept(MERGE, KINDS_BY_NAME["500"])
    assert Cell(1, 1, 1, 60).is_kept(MERGE, KINDS_BY_NAME["500"])


def table(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def shape(text: str) -> tuple[list[str], list[str]]:
    """The names of columns and rows."""
    rows = table(text)
    return rows[0], [row[0] for row in rows]
