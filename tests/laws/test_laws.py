"""The laws in memory, for every registered operation; `tests/contracts` holds the engines to the same functions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws import laws
from tests.laws.examples import EXAMPLES, Example
from tests.laws.memory_world import MemoryWorld
from workers.engine.operation import OPERATIONS
from workers.engine.vocabulary import PHASES

example = st.sampled_from([each for examples in EXAMPLES.values() for each in examples])


@given(example, st.data())
def test_stopping_after_any_batch_and_resuming_changes_nothing_but_time(example: Example, data: st.DataObject) -> None:
    laws.stopping_after_any_batch_and_resuming_changes_nothing_but_time(MemoryWorld, example, data)


@given(example, st.data())
def test_replaying_from_the_previous_checkpoint_is_harmless(example: Example, data: st.DataObject) -> None:
    laws.replaying_from_the_previous_checkpoint_is_harmless(MemoryWorld, example, data)


@settings(max_examples=2 * settings().max_examples)  # most of what was ever found broke this one
@given(example, st.data())
def test_a_write_by_either_application_between_any_two_actions_survives_on_both_sides(
    example: Example, data: st.DataObject
) -> None:
    laws.a_write_by_either_application_between_any_two_actions_survives_on_both_sides(MemoryWorld, example, data)


@pytest.mark.parametrize("apart", [2, 4])  # before and after a column is restored; before and behind a batch
@pytest.mark.parametrize("each", [each for examples in EXAMPLES.values() for each in examples], ids=str)
def test_writes_in_any_two_gaps_survive(each: Example, apart: int) -> None:
    assert laws.writes_in_any_two_gaps_survive(MemoryWorld, each, apart=apart) > len(PHASES)


@given(example, st.data())
def test_undoing_a_phase_restores_the_catalogue_and_the_old_side_exactly(example: Example, data: st.DataObject) -> None:
    laws.undoing_a_phase_restores_the_catalogue_and_the_old_side_exactly(MemoryWorld, example, data)


@given(example, st.data())
def test_all_phases_before_contract_unwind_to_the_start(example: Example, data: st.DataObject) -> None:
    laws.all_phases_before_contract_unwind_to_the_start(MemoryWorld, example, data)


@given(example, st.data())
def test_after_contract_and_purge_nothing_of_this_plan_remains_in_the_target(
    example: Example, data: st.DataObject
) -> None:
    laws.after_contract_and_purge_nothing_of_this_plan_remains_in_the_target(MemoryWorld, example, data)


@given(example, st.data())
def test_every_action_succeeds_when_repeated(example: Example, data: st.DataObject) -> None:
    laws.every_action_succeeds_when_repeated(MemoryWorld, example, data)


@given(example, st.data())
def test_a_failure_at_any_action_unwinds(example: Example, data: st.DataObject) -> None:
    laws.a_failure_at_any_action_unwinds(MemoryWorld, example, data)


@given(example, st.data())
def test_verify_finds_every_difference_behind_the_syncs_back_and_passes_once_it_is_mended(
    example: Example, data: st.DataObject
) -> None:
    laws.verify_finds_every_difference_behind_the_syncs_back_and_passes_once_it_is_mended(MemoryWorld, example, data)


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
def test_every_registered_operation_is_under_the_laws(kind: str) -> None:
    assert EXAMPLES.get(kind)
