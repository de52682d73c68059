"""A lease fails closed: it counts as lost a little before anybody else may take the lane."""

from __future__ import annotations

import pytest

from tests.services.claims import a_claim, a_run, expired
from tests.workers.shop import eventually
from workers.lease import Lease


@pytest.mark.django_db
@pytest.mark.parametrize(("age_s", "is_held"), [(0, True), (12.9, True), (13.1, False), (15, False)])
def test_a_lease_that_was_not_renewed_is_given_up_before_it_ends(settings, age_s, is_held):
    settings.LOCKSTEP_LEASE_S = 15.0
    now = [100.0]
    lease = Lease(a_claim(), clock=lambda: now[0])

    now[0] += age_s

    assert lease.is_held() is is_held


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_kept_while_its_holder_is_busy(settings):
    settings.LOCKSTEP_LEASE_S = 3.0
    claim = a_claim()
    with Lease(claim) as lease:
        before = claim.run.lanes.get().lease_until

        eventually(lambda: claim.run.lanes.get().lease_until > before)

        assert lease.is_held()


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_was_taken_over_is_lost(settings):
    settings.LOCKSTEP_LEASE_S = 3.0
    run = a_run()
    with Lease(expired(a_claim(run))) as lease:
        a_claim(run, owner="two")

        eventually(lambda: not lease.is_held(), within_s=2.0)
