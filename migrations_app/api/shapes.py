"""The shapes of what the API answers, for its description: selectors make the values, tests hold the two together."""

from __future__ import annotations

from rest_framework import serializers

from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from migrations_app.models import Command
from workers.engine.objection import Severity
from workers.engine.vocabulary import PHASES, Direction

Text, Number, Whole, Flag = (
    serializers.CharField,
    serializers.FloatField,
    serializers.IntegerField,
    serializers.BooleanField,
)
Moment, Free = serializers.DateTimeField, serializers.DictField


PLAN_STATUSES, PHASE_STATUSES, RUN_STATUSES, PHASE_NAMES, DIRECTIONS = (
    [(value.value, value.value) for value in values]
    for values in (PlanStatus, PhaseStatus, RunStatus, PHASES, Direction)
)
"""Named for the schema in settings.py, so that clients get one type for each."""


def _phase(**kwargs: object) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=PHASE_NAMES, **kwargs)


class Blocker(serializers.Serializer):
    code = Text()
    kind = serializers.ChoiceField(choices=["mend", "wait"])
    text = Text()
    remedy = Text()
    overridable_gate = Text(help_text="The gate that may be overridden with a reason; empty for none.")


class Check(serializers.Serializer):
    name = Text()
    ok = Flag(allow_null=True, help_text="null: not looked at, since an earlier step failed.")
    needed = Flag(help_text="false: good to know, but nothing fails without it.")
    text = Text()
    remedy = Text()
    code = Text()
    field = Text()


class InputError(serializers.Serializer):
    field = Text()
    code = Text()
    detail = Text()


class Problem(serializers.Serializer):
    """Every refusal, as application/problem+json (RFC 9457)."""

    type = Text()
    title = Text()
    status = Whole()
    code = Text(help_text="Stable; see docs/reference/errors.md.")
    detail = Text(help_text="The fact.")
    remedy = Text(help_text="How to mend it; may be empty.")
    field = Text(required=False)
    position = Whole(required=False, help_text="0-based offset of the offending part in the field's text.")
    blockers = Blocker(many=True, required=False)
    checks = Check(many=True, required=False)
    errors = InputError(many=True, required=False)


class Person(serializers.Serializer):
    id = Whole()
    name = Text()


class RoleHeld(serializers.Serializer):
    role = Text()
    project = Text(help_text="Empty for all.")
    environment = Text(help_text="Empty for all.")


class Session(serializers.Serializer):
    user = Person()
    username = Text()
    roles = RoleHeld(many=True)
    reauthenticated_until = Moment(allow_null=True, help_text="Grave verbs ask for no password until then.")
    csrf_token = Text(help_text="Send it as X-CSRFToken with every write that comes with the session's cookie.")


class Token(serializers.Serializer):
    id = Whole()
    name = Text()
    created_at = Moment()
    expires_at = Moment()
    revoked_at = Moment(allow_null=True)


class IssuedToken(Token):
    token = Text(help_text="Shown this once.")


class Operation(serializers.Serializer):
    kind = Text()
    title = Text()
    parameters_schema = Free(help_text="JSON Schema of its parameters.")


class Replica(serializers.Serializer):
    name = Text()
    host = Text()
    port = Whole()


class ReplicaProposal(Replica):
    state = Text()


class Secret(serializers.Serializer):
    kind = Text()
    reference = Text(help_text="Name of the variable or file; empty for a sealed password.")
    set_at = Moment(allow_null=True)


class Supervisor(serializers.Serializer):
    alive = Flag()
    beat_at = Moment(allow_null=True)


class Target(serializers.Serializer):
    id = Whole()
    uid = Text()
    name = Text()
    project = Text()
    environment = Text()
    engine = Text()
    host = Text()
    port = Whole()
    database = Text()
    username = Text()
    tls = Text()
    tls_ca_file = Text()
    secret = Secret()
    version = Text()
    registered_by = Text()
    registered_at = Moment()
    replicas = Replica(many=True)
    supervisor = Supervisor()


class TargetTest(serializers.Serializer):
    ok = Flag(help_text="Every needed check passed.")
    checks = Check(many=True)


class PlanTarget(serializers.Serializer):
    id = Whole()
    name = Text()
    project = Text()
    environment = Text()
    engine = Text()


class ActiveRun(serializers.Serializer):
    id = Whole()
    phase = _phase()
    direction = serializers.ChoiceField(choices=DIRECTIONS)
    status = serializers.ChoiceField(choices=RUN_STATUSES)


class PlanRow(serializers.Serializer):
    id = Whole()
    title = Text()
    status = serializers.ChoiceField(choices=PLAN_STATUSES)
    digest = Text()
    short_digest = Text()
    revision = Whole()
    author = Person()
    target = PlanTarget()
    created_at = Moment()
    changed_at = Moment()


class PlanListed(PlanRow):
    active_run = ActiveRun(allow_null=True)


class PlanPage(serializers.Serializer):
    plans = PlanListed(many=True)
    next = Whole(allow_null=True, help_text="Give it as `before` for the next page; null on the last.")


class PlannedOperation(serializers.Serializer):
    kind = Text()
    title = Text()
    table = Text()
    parameters = Free()
    describe = Text()


class Objection(serializers.Serializer):
    code = Text()
    title = Text()
    severity = serializers.ChoiceField(choices=[*Severity])
    text = Text()
    remedy = Text()
    field = Text()
    count = Whole(allow_null=True)


class Preflight(serializers.Serializer):
    digest = Text()
    at = Text()
    rows = Whole()
    objections = Objection(many=True)
    is_fresh = Flag(help_text="It looked at the present revision.")


class Gate(serializers.Serializer):
    key = Text()
    direction = serializers.ChoiceField(choices=DIRECTIONS)
    title = Text()
    text = Text()
    overridable = Flag()
    is_open = Flag()
    is_override = Flag()
    confirmed_by = Text(allow_null=True)
    at = Moment(allow_null=True)
    reason = Text()


class PreviewedAction(serializers.Serializer):
    title = Text()
    statements = serializers.ListField(child=Text())


class Preview(serializers.Serializer):
    forward = PreviewedAction(many=True)
    back = PreviewedAction(many=True)


class PlanPhase(serializers.Serializer):
    name = _phase()
    title = Text()
    position = Whole()
    status = serializers.ChoiceField(choices=PHASE_STATUSES)
    since = Moment()
    result = Free()
    group = Text()
    approvals_needed = Whole(help_text="Approvals that are still missing.")
    reversible = Flag()
    way_back = Text()
    gates = Gate(many=True)
    blockers_forward = Blocker(many=True, allow_null=True, help_text="null: it is not the next phase.")
    blockers_back = Blocker(many=True, allow_null=True, help_text="null: it is not the next to be undone.")
    preview = Preview()


class Signature(serializers.Serializer):
    by = Text()
    at = Moment()
    digest = Text()
    comment = Text()
    stands = Flag()
    why_not = Text()


class ApprovalGroup(serializers.Serializer):
    needed = Whole()
    missing = Whole()
    given = Signature(many=True)


class ApprovalGroups(serializers.Serializer):
    expand = ApprovalGroup()
    cutover = ApprovalGroup()
    contract = ApprovalGroup()


class ChangesAsked(serializers.Serializer):
    by = Text()
    at = Moment()
    comment = Text()


class Wait(serializers.Serializer):
    reason = Text()
    verdict = Text(help_text="hold, slow or retry")
    since = Moment(allow_null=True)
    wake_at = Moment(allow_null=True)


class RunError(serializers.Serializer):
    code = Text()
    fact = Text()
    remedy = Text()


class Lane(serializers.Serializer):
    number = Whole()
    owner = Text()
    epoch = Whole()
    lease_until = Moment(allow_null=True)
    beat_at = Moment(allow_null=True)
    action = Whole()
    batches = Whole()
    rows = Whole()
    rows_expected = Whole(allow_null=True)
    counters = Free()


class CommandGiven(serializers.Serializer):
    """A verb on a run with its four clocks: requested, taken up, last write on the target, stop seen there."""

    id = Whole()
    run = Whole()
    verb = serializers.ChoiceField(choices=Command.Verb.values)
    by = Text()
    reason = Text()
    requested_at = Moment()
    acknowledged_at = Moment(allow_null=True)
    last_write_at = Moment(allow_null=True)
    verified_at = Moment(allow_null=True)
    evidence = Free()


class Run(serializers.Serializer):
    id = Whole()
    plan = Whole()
    phase = _phase()
    direction = serializers.ChoiceField(choices=DIRECTIONS)
    status = serializers.ChoiceField(choices=RUN_STATUSES)
    is_active = Flag()
    digest = Text()
    limits = Free()
    chain_until = Text()
    then_back_to = Text()
    requested_by = Text()
    requested_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)
    rows = Whole()
    rows_expected = Whole(allow_null=True)
    wait = Wait(allow_null=True)
    error = RunError(allow_null=True)
    lanes = Lane(many=True)
    commands = CommandGiven(many=True)


class RunListed(ActiveRun):
    plan = Whole()
    requested_by = Text()
    requested_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)


class RunPage(serializers.Serializer):
    runs = RunListed(many=True)
    next = Whole(allow_null=True, help_text="Give it as `before` for the next page; null on the last.")


class Confirm(serializers.Serializer):
    start = Flag()
    rollback = Flag()


class Words(serializers.Serializer):
    state = Text()
    since = Moment(allow_null=True)
    why = Text()
    next = Text()


class PlanDetail(PlanRow):
    content = Free()
    operations = PlannedOperation(many=True)
    preflight = Preflight(allow_null=True)
    phases = PlanPhase(many=True)
    next_phase = _phase(allow_null=True)
    back_phase = _phase(allow_null=True)
    approvals = ApprovalGroups()
    changes_asked = ChangesAsked(many=True)
    run = Run(allow_null=True)
    supervisor = Supervisor()
    stop_line = Text(help_text="SQL that stops the writing in the target by hand, where no supervisor is alive.")
    may = serializers.DictField(child=Flag(), help_text="By verb: whether you may use it now.")
    may_not = serializers.DictField(child=Text(), help_text="By verb: why not.")
    confirm = Confirm(help_text="Whether the verb asks for the target's name and a fresh password.")
    words = Words(help_text="The state in words: what it does, since when, why it waits, what comes next.")


class Revision(serializers.Serializer):
    number = Whole()
    digest = Text()
    editor = Text()
    at = Moment()
    content = Free()


class Revisions(serializers.Serializer):
    revisions = Revision(many=True)


class Difference(serializers.Serializer):
    path = Text()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class RevisionDiff(serializers.Serializer):
    before = Whole()
    after = Whole()
    changes = Difference(many=True)


class Rollback(serializers.Serializer):
    run = Run(help_text="The run that rolls back, or the one that is aborted first.")
    command = CommandGiven(allow_null=True, help_text="The abort that comes first; null where no run was active.")


class Event(serializers.Serializer):
    seq = Whole()
    kind = Text()
    at = Moment()
    by = Text()
    payload = Free()


class Events(serializers.Serializer):
    events = Event(many=True)
    last_seq = Whole(help_text="The newest event there is; ask again while yours is smaller.")


class Sample(serializers.Serializer):
    n = Whole()
    at = Moment()
    rows = Whole()
    rows_per_s = Number()
    batch_rows = Whole()
    batch_s = Number()


class Samples(serializers.Serializer):
    run = Whole(allow_null=True)
    samples = Sample(many=True)


class HealthPart(serializers.Serializer):
    ok = Flag()
    text = Text()


class Health(serializers.Serializer):
    ok = Flag()
    parts = serializers.DictField(child=HealthPart())
