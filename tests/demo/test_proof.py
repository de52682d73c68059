"""The proof finds each way in which a write can be lost, and nothing where none was."""

import pytest

from demo.ledger import Account
from demo.names import Parts, loaded_email, name_at, split
from demo.proof import Held, Sides, contradictions

BOTH = Sides(has_name=True, has_parts=True)


def a_row(number=1, version=2, **changes):
    name = name_at(loaded_email(number), version)
    return Held(
        **{"id": number, "email": loaded_email(number), "version": version, "name": name, "parts": split(name)}
        | changes
    )


def test_a_table_as_acknowledged_contradicts_nothing():
    assert contradictions([a_row()], BOTH, [Account(versions={1: 2})], (), loaded_rows=1) == []


def test_a_write_acknowledged_while_the_table_was_read_contradicts_nothing():
    assert contradictions([a_row(version=3)], BOTH, [Account(versions={1: 2})], (), loaded_rows=1) == []


@pytest.mark.parametrize(
    "row",
    [
        a_row(name="somebody else"),
        a_row(name=None),
        a_row(parts=Parts("somebody", "else")),
        a_row(parts=Parts(None, None)),
        a_row(version=1),
    ],
    ids=["other name", "no name", "other parts", "no parts", "older version"],
)
def test_a_row_that_lost_a_write_is_found(row):
    assert len(contradictions([row], BOTH, [Account(versions={1: 2})], (), loaded_rows=1)) == 1


def test_a_side_that_is_not_there_is_not_compared():
    row = a_row(parts=Parts(None, None))

    assert contradictions([row], Sides(has_name=True, has_parts=False), [], (), loaded_rows=1) == []


def test_a_row_that_vanished_is_found():
    assert contradictions([], BOTH, [], (), loaded_rows=1) == ["row 1 was loaded and is gone"]


def test_a_row_whose_removal_began_meanwhile_may_be_gone():
    account = Account(versions={30_001: 1})

    assert contradictions([], BOTH, [account], {30_001}, loaded_rows=0) == []
    assert len(contradictions([], BOTH, [account], (), loaded_rows=0)) == 1


def test_a_removed_row_that_came_back_is_found():
    assert contradictions([a_row()], BOTH, [Account(removed=frozenset({1}))], (), loaded_rows=1) == [
        "row 1 was removed and is there again"
    ]


def test_a_row_whose_write_ended_in_an_error_may_be_older():
    account = Account(versions={1: 3}, unsure=frozenset({1}))

    assert contradictions([a_row(version=2)], BOTH, [account], (), loaded_rows=1) == []


def test_what_a_reader_missed_on_the_way_is_counted_too():
    assert contradictions([a_row()], BOTH, [Account(differences=("row 1 ...",))], (), loaded_rows=1) == ["row 1 ..."]
