"""Who is it: checks a name and password, notes every try, and slows down guessing. Also for confirming grave verbs.

Failed tries are events, counted by account and address: the count survives restarts and holds across processes, and
guessing at a colleague's account from elsewhere does not lock the colleague out.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth import authenticate
from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.models import Event, EventStream, Target, User
from migrations_app.services.errors import InputRefused, ServiceRefused, TooManyTries
from migrations_app.services.runs import is_reauthenticated

TRIES = 10
WINDOW_S = 300
"""Ten tries in five minutes: no person needs more, and a guesser gets 2,880 a day."""
REAUTHENTICATED_AT = "reauthenticated_at"
"""Session key: epoch seconds of the last time that the password was given."""


class WrongCredentials(ServiceRefused):
    """One text for an unknown name, a wrong password and a disabled account, so that names cannot be found out."""

    code = "wrong_credentials"
    status = 401


def sign_in_check(username: str, password: str, *, address: str) -> User:
    """Return the account; raises WrongCredentials or TooManyTries. Takes the same time for unknown names.

    `address` is the peer's own address, never a header that it sent.
    """
    known = User.objects.filter(username=username).first()
    _refuse_guessing(known, address)
    user = authenticate(username=username, password=password)
    with transaction.atomic():
        if isinstance(user, User):
            events.record(user, "signed_in", {"address": address}, actor=user)
            return user
        events.record(known, "sign_in_failed", {"address": address}, by="somebody")
    raise WrongCredentials("Name or password is wrong.", remedy="Try again, or ask an admin to set a new password.")


def grave_check(
    target: Target,
    *,
    typed_name: str,
    actor: User,
    password: str = "",
    reauthenticated_at: float | None = None,
    address: str = "",
) -> None:
    """Confirm a verb that is hard to take back: the target's name typed, and a password given now or a moment ago.

    `reauthenticated_at` comes from the session; a program has none and gives the password with the request.
    """
    if typed_name != target.name:
        raise InputRefused(
            f"This changes {target.name} in a way that is hard to take back.",
            remedy="Confirm it with the target's name, exactly as it is written.",
            code="confirmation_missing",
            field="confirm_target",
        )
    password_check(actor, password=password, reauthenticated_at=reauthenticated_at, address=address)


def password_check(actor: User, *, password: str, reauthenticated_at: float | None, address: str) -> None:
    """Raise unless the person gave the password a moment ago, or gives it now."""
    if is_reauthenticated(reauthenticated_at, timezone.now().timestamp()):
        return
    if not password:
        raise InputRefused(
            "This needs your password again.",
            remedy="Give it with the request.",
            code="password_needed",
            field="password",
        )
    sign_in_check(actor.username, password, address=address)


def _refuse_guessing(known: User | None, address: str) -> None:
    kind, object_id = events.stream_of(known)
    stream = EventStream.objects.filter(kind=kind, object_id=object_id).first()
    since = timezone.now() - timedelta(seconds=WINDOW_S)
    failed = Event.objects.filter(stream=stream, kind="sign_in_failed", at__gt=since, payload__address=address)
    if stream is not None and failed.count() >= TRIES:
        raise TooManyTries(
            "Too many wrong passwords from this address.",
            remedy=f"Wait {WINDOW_S // 60} minutes, then try again.",
            retry_after_s=WINDOW_S,
        )
