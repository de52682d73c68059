"""The virtualenv's stamp tells whether anything must be installed."""

from stack.virtualenv import digest


def test_the_digest_covers_the_files_that_are_included(tmp_path):
    (tmp_path / "requirements.txt").write_text("Django\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest\n")
    before = digest(tmp_path / "requirements-dev.txt")

    (tmp_path / "requirements.txt").write_text("Django\nredis\n")

    assert digest(tmp_path / "requirements-dev.txt") != before
