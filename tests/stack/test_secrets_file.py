"""Secrets that a stack makes up for itself."""

import base64

from stack.secrets_file import kept_secrets, made_up


def test_the_second_start_finds_the_secrets_of_the_first(tmp_path):
    assert kept_secrets(tmp_path) == kept_secrets(tmp_path)


def test_only_the_owner_may_read_them(tmp_path):
    kept_secrets(tmp_path)

    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_the_seal_key_has_32_bytes():
    assert len(base64.b64decode(made_up().seal_key)) == 32


def test_no_traceback_shows_them():
    secrets = made_up()

    assert secrets.executor not in repr(secrets)
