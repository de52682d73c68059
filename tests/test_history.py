"""Every event is said in one sentence, and none of them can break a page."""

import pytest

from migrations_app.history import SENTENCES, sentence
from tests.test_docs import event_kinds


def test_every_kind_of_event_has_a_sentence_of_its_own():
    assert event_kinds() - set(SENTENCES) == set()


@pytest.mark.parametrize("kind", sorted(SENTENCES))
def test_an_event_whose_payload_is_not_known_is_said_by_its_name(kind):
    assert sentence(kind, {}).endswith((".", "…"))


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("hold", "Held: a lock was not granted."),
        ("slow", "Slowed: a lock was not granted."),
        ("retry", "Tried again in a moment: a lock was not granted."),
    ],
)
def test_a_wait_says_what_it_does_to_the_run(verdict, said):
    assert sentence("run_waited", {"verdict": verdict, "reason": "a lock was not granted."}) == said
