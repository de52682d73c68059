"""manage.py supervise --check: what a container's health is asked by."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from migrations_app.models import SupervisorLease
from tests.builders import a_target, a_watched_target

pytestmark = pytest.mark.django_db


def test_it_is_well_where_there_is_nothing_to_watch():
    call_command("supervise", "--check")


def test_it_is_well_where_every_target_was_watched_a_moment_ago():
    a_watched_target()

    call_command("supervise", "--check")


def test_a_target_that_nobody_ever_watched_is_named():
    a_watched_target()
    a_target(name="forgotten")

    with pytest.raises(CommandError, match="forgotten"):
        call_command("supervise", "--check")


def test_a_supervisor_that_fell_silent_is_noticed():
    target = a_watched_target(name="silent")
    SupervisorLease.objects.filter(target=target).update(beat_at=timezone.now() - timedelta(minutes=1))

    with pytest.raises(CommandError, match="silent"):
        call_command("supervise", "--check")
