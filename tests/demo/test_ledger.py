"""A ledger gives back what was promised, whatever ended its application."""

import pytest

from demo.ledger import Ledger, read, shorten


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "old-app.jsonl")
    yield ledger
    ledger.close()


def test_the_last_acknowledged_version_of_a_row_counts(ledger):
    ledger.wrote(7, 1, "Ada Hopper")
    ledger.wrote(7, 2, "Ada Ng")

    assert read(ledger.path).versions == {7: 2}


def test_a_removed_row_is_expected_no_more(ledger):
    ledger.wrote(7, 1, "Ada Hopper")
    ledger.removed(7)

    account = read(ledger.path)
    assert account.versions == {}
    assert account.removed == {7}


def test_a_removal_that_was_begun_is_known_before_it_is_acknowledged(ledger):
    ledger.wrote(7, 1, "Ada Hopper")
    ledger.removing(7)

    account = read(ledger.path)
    assert account.removing == {7}
    assert account.versions == {7: 1}


def test_a_line_cut_off_by_a_kill_is_promised_to_nobody(ledger):
    ledger.wrote(7, 1, "Ada Hopper")
    with ledger.path.open("a") as file:
        file.write('{"op": "wrote", "id": 8')

    assert read(ledger.path).versions == {7: 1}


def test_a_write_that_ended_in_an_error_leaves_its_row_unsure(ledger):
    ledger.erred("change", 7, "57P01", "terminating connection")

    account = read(ledger.path)
    assert account.unsure == {7}
    assert account.errors == ("change: 57P01 terminating connection",)


def test_latencies_are_kept_by_the_second(ledger):
    ledger.took(100.2, 1.5)
    ledger.took(101.9, 2.5)
    ledger.close()

    account = read(ledger.path)
    assert account.latencies_between(100, 101) == [1.5]
    assert account.latencies_between(100, 102) == [1.5, 2.5]


def test_shortening_changes_nothing_that_is_proven_with_it(ledger):
    for version in range(1, 50):
        ledger.wrote(7, version, "Ada")
    ledger.wrote(8, 1, "Ada")
    ledger.removed(8)
    ledger.erred("change", 9, "40001", "again")
    ledger.differs(7, 3, "Ada", None)
    before = read(ledger.path)

    shorten(ledger.path)

    assert read(ledger.path) == before
    assert len(ledger.path.read_text().splitlines()) == 4
