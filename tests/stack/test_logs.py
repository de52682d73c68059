"""Log files of a stack's programs."""

from stack.logs import TURN_OVER_BYTES, last_lines, open_log


def test_a_log_is_appended_to(tmp_path):
    (tmp_path / "web.log").write_text("before\n")

    with open_log(tmp_path / "web.log") as log:
        log.write(b"after\n")

    assert (tmp_path / "web.log").read_text() == "before\nafter\n"


def test_a_large_log_is_kept_once_and_begun_anew(tmp_path):
    (tmp_path / "web.log").write_bytes(b"x" * (TURN_OVER_BYTES + 1))

    open_log(tmp_path / "web.log").close()

    assert ((tmp_path / "web.log").stat().st_size, (tmp_path / "web.old").exists()) == (0, True)


def test_only_the_end_is_quoted(tmp_path):
    (tmp_path / "web.log").write_text("one\ntwo\nthree\n")

    assert last_lines(tmp_path / "web.log", lines=2) == "two\nthree"
