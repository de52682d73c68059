"""What services refuse, apart from the engine's errors: each with a code, a fact and a remedy for people."""

from __future__ import annotations

from collections.abc import Sequence

from migrations_app.policy import Blocker


class ServiceRefused(Exception):
    """A verb that cannot be carried out as things stand; nothing was changed."""

    code = "refused"
    status = 409

    def __init__(self, fact: str, *, remedy: str = "", code: str = "", field: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.field = field
        if code:
            self.code = code


class InputRefused(ServiceRefused):
    """What was given cannot be used, whatever the state of things; `field` names the input."""

    code = "input_refused"
    status = 422


class TooManyTries(ServiceRefused):
    """Sign-in was tried too often; `retry_after_s` says when to try again."""

    code = "too_many_tries"
    status = 429

    def __init__(self, fact: str, *, remedy: str = "", retry_after_s: int) -> None:
        super().__init__(fact, remedy=remedy)
        self.retry_after_s = retry_after_s


class PhaseBlocked(ServiceRefused):
    """A phase may not start (or go back); `blockers` is the complete list."""

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        first = blockers[0]
        super().__init__(first.text, remedy=first.remedy, code=first.code)
        self.blockers = tuple(blockers)


class DigestMoved(ServiceRefused):
    """The plan is not the one that was looked at."""

    code = "digest_moved"
