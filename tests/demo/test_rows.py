"""Whose row is whose: nothing is written by two applications at once, and quiet rows by none."""

from demo.rows import Writer, has_turn, is_quiet, is_shared, own_row, shared_row

DRAWS = range(0, 100_000, 37)
OLD = {own_row(Writer.OLD, draw, 20_000) for draw in DRAWS}
NEW = {own_row(Writer.NEW, draw, 20_000) for draw in DRAWS}
SHARED = {shared_row(draw, 20_000) for draw in DRAWS}


def test_the_applications_have_no_row_in_common_but_the_shared_ones():
    assert not OLD & NEW
    assert not (OLD | NEW) & SHARED
    assert all(is_shared(row) for row in SHARED)


def test_no_application_writes_a_quiet_row():
    assert not any(is_quiet(row) for row in OLD | NEW | SHARED)


def test_all_rows_drawn_were_loaded():
    assert min(OLD | NEW | SHARED) >= 1
    assert max(OLD | NEW | SHARED) <= 20_000


def test_shared_rows_are_written_in_turn():
    assert [has_turn(Writer.OLD, version) for version in range(4)] == [True, False, True, False]
    assert [has_turn(Writer.NEW, version) for version in range(4)] == [False, True, False, True]
