"""The laws of every operation on PostgreSQL: the same functions as in memory, with fewer examples."""

from __future__ import annotations

import os
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.postgresql_world import PostgresWorld
from tests.contracts.target import Target
from tests.laws.examples import EXAMPLES, Example
from tests.laws.laws import LAWS, Law

# Some two seconds for each law; memory tries hundreds.
EXAMPLES_EACH = int(os.environ.get("LOCKSTEP_TEST_LAW_EXAMPLES", "7"))

example = st.sampled_from([each for examples in EXAMPLES.values() for each in examples])


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(
    max_examples=EXAMPLES_EACH,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(example=example, data=st.data())
def test_the_law_holds_on_postgresql(server: Target, law: Law, example: Example, data: st.DataObject) -> None:
    law(partial(PostgresWorld, server), example, data)
