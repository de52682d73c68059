"""A side is called unused only by somebody who has just looked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Plan, TargetSample
from migrations_app.selectors.facts import phase_facts
from tests.builders import a_plan
from workers.engine.vocabulary import Direction, Phase

pytestmark = pytest.mark.django_db


def unused_since(plan: Plan, observed: float | None, *, age_s: float = 1) -> datetime | None:
    reading = {"signal": "old_side_use", "source": f"plan {plan.pk}", "observed": observed, "unit": "s"}
    at = timezone.now() - timedelta(seconds=age_s)
    TargetSample.objects.create(target=plan.target, n=1, at=at, readings=[reading])
    return phase_facts(plan, Phase.CONTRACT, Direction.FORWARD).unused_side_since


def test_the_last_sample_says_since_when_a_side_is_unused():
    plan = a_plan(done="cutover")

    since = unused_since(plan, 600)

    assert timezone.now() - since == pytest.approx(timedelta(seconds=601), abs=timedelta(seconds=1))


def test_a_use_that_cannot_be_counted_is_not_known():
    assert unused_since(a_plan(done="cutover"), None) is None


def test_a_stale_sample_knows_nothing():
    assert unused_since(a_plan(done="cutover"), 600, age_s=60) is None
