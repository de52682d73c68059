"""The names of the demo: deterministic, awkward, and lossless under the demo's mapping."""

import pytest

from demo.names import Parts, join, loaded_email, loaded_name, name_at, split

LOADED = [loaded_name(number) for number in range(1, 20_001)]


def test_every_awkward_kind_of_name_is_loaded():
    names = [name for name in LOADED if name is not None]

    assert None in LOADED
    assert "" in names
    assert any(name.endswith(" ") for name in names)
    assert any(name.startswith(" ") for name in names)
    assert any("  " in name for name in names)
    assert any(" " not in name for name in names if name)
    assert any(len(name.split()) == 3 for name in names)
    assert any(not name.isascii() for name in names)


def test_the_mapping_gives_every_loaded_name_back():
    assert [join(split(name)) for name in LOADED] == LOADED


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (None, Parts(None, None)),
        ("", Parts("", None)),
        ("Ada", Parts("Ada", None)),
        ("Ada ", Parts("Ada", "")),
        (" Ada", Parts("", "Ada")),
        ("Mary Ann Smith", Parts("Mary", "Ann Smith")),
    ],
)
def test_a_name_is_split_at_its_first_blank(name, parts):
    assert split(name) == parts


@pytest.mark.parametrize("email", [loaded_email(7), loaded_email(20_000), "old-0123@shop.example"])
def test_versions_that_follow_each_other_never_have_the_same_name(email):
    names = [name_at(email, version) for version in range(1, 200)]

    assert all(before != after for before, after in zip(names, names[1:], strict=False))


def test_the_first_version_of_a_loaded_row_differs_from_what_was_loaded():
    emails = [loaded_email(number) for number in range(1, 5_001)]

    assert [email for email in emails if name_at(email, 0) == name_at(email, 1)] == []
    assert [email for email in emails if name_at(email, 1) == name_at(email, 2)] == []


def test_an_odd_version_changes_the_last_name_only():
    email = loaded_email(7)

    assert split(name_at(email, 3)).first == split(name_at(email, 2)).first
    assert split(name_at(email, 1)).first == split(name_at(email, 0)).first
