"""One question for every door: may this actor do this action on this object? Denied unless a role says so."""

from __future__ import annotations

from migrations_app.models import Plan, RoleGrant, Target, User

Role = RoleGrant.Role

ROLES_BY_ACTION: dict[str, frozenset[str]] = {
    "see": frozenset(Role.values),
    "plan_edit": frozenset({Role.AUTHOR}),
    "plan_approve": frozenset({Role.APPROVER}),
    "gate_confirm": frozenset({Role.AUTHOR, Role.OPERATOR, Role.ONCALL}),
    "gate_override": frozenset({Role.OPERATOR, Role.APPROVER}),
    "run_start": frozenset({Role.OPERATOR}),
    "run_pause": frozenset({Role.OPERATOR, Role.APPROVER, Role.ONCALL, Role.AUTHOR}),
    "run_resume": frozenset({Role.OPERATOR, Role.ONCALL}),
    "run_abort": frozenset({Role.OPERATOR, Role.APPROVER, Role.ONCALL, Role.AUTHOR}),
    "run_tune": frozenset({Role.OPERATOR, Role.ONCALL}),
    "plan_rollback": frozenset({Role.OPERATOR, Role.ONCALL}),
    "target_register": frozenset({Role.ADMIN, Role.OPERATOR}),
    "target_test": frozenset({Role.ADMIN, Role.OPERATOR, Role.ONCALL, Role.AUTHOR}),
}


class Denied(Exception):
    """The actor's roles do not allow the action here."""

    code = "denied"

    def __init__(self, action: str) -> None:
        roles = ", ".join(sorted(ROLES_BY_ACTION[action]))
        super().__init__(f"You may not do this here: it takes one of the roles {roles}.")
        self.fact = f"You may not do this here ({action.replace('_', ' ')})."
        self.remedy = f"Ask somebody with one of these roles: {roles}."


def roles_of(user: User, target: Target | None) -> set[str]:
    """Return the actor's roles for a target, or those that hold everywhere where there is none."""
    if not user.is_active:
        return set()
    project, environment = (target.project, target.environment) if target else ("", "")
    return {
        grant.role
        for grant in user.role_grants.all()
        if grant.project in ("", project) and grant.environment in ("", environment)
    }


def is_allowed(user: User, action: str, on: Plan | Target | None = None) -> bool:
    """Return whether a role of the actor allows the action on this plan or target (None: anywhere)."""
    target = on.target if isinstance(on, Plan) else on
    return bool(ROLES_BY_ACTION[action] & roles_of(user, target))


def authorize(user: User, action: str, on: Plan | Target | None = None) -> None:
    """Raise Denied unless the actor may."""
    if not is_allowed(user, action, on):
        raise Denied(action)
