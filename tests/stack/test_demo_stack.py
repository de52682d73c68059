"""What the demo reads from the programs it runs."""

import pytest

from stack.demo_stack import last_object
from stack.one_shot import ProgramFailed


def test_the_logins_are_the_last_object_that_the_seed_prints():
    assert last_object('Registering ...\n{"plan": 1}\n') == {"plan": 1}


def test_a_seed_that_prints_no_object_is_refused_with_its_words():
    with pytest.raises(ProgramFailed, match="cannot reach"):
        last_object("cannot reach the target\n")
