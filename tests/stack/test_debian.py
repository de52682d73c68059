"""What tests need from Debian is found by program or by library."""

from stack.debian import Need, reason_missing


def test_any_one_of_the_programs_will_do():
    assert Need("coreutils", programs=("lockstep-no-such-program", "ls")).is_met()


def test_a_library_is_found_by_its_name():
    assert Need("libc6", library="libc.so.6").is_met()


def test_what_is_missing_is_named_with_the_command_that_gets_it():
    missing = Need("tree-of-glass", library="libglass.so.1")

    assert reason_missing(missing) == "tree-of-glass is not installed (apt-get install tree-of-glass)"
