"""The tables of the control database: fields, constraints, properties. No I/O and no save() tricks."""

from migrations_app.models.approval import Approval, Confirmation
from migrations_app.models.control_plane import ControlPlane
from migrations_app.models.event import Event, EventStream
from migrations_app.models.plan import Plan, PlanPhase, PlanRevision, TableClaim
from migrations_app.models.run import Command, Lane, Run
from migrations_app.models.sample import ProbeBucket, RunSample, TargetSample
from migrations_app.models.target import Replica, SupervisorLease, Target
from migrations_app.models.user import ApiToken, RoleGrant, User

__all__ = [
    "ApiToken",
    "Approval",
    "Command",
    "Confirmation",
    "ControlPlane",
    "Event",
    "EventStream",
    "Lane",
    "Plan",
    "PlanPhase",
    "PlanRevision",
    "ProbeBucket",
    "Replica",
    "RoleGrant",
    "Run",
    "RunSample",
    "SupervisorLease",
    "TableClaim",
    "Target",
    "TargetSample",
    "User",
]
