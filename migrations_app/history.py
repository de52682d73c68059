"""Says each kind of event in one sentence, for the log of a page. An unknown kind is shown by its name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrations_app.policy import GATE_BY_KEY, phase_title
from migrations_app.words import span
from workers.engine.vocabulary import Phase

Payload = Mapping[str, Any]

VERDICTS = {"hold": "Held", "slow": "Slowed", "retry": "Tried again in a moment"}
WAITS = {"soak": "the soak", "hold": "the hold", "side_unused": "the wait for the side to be unused"}


def sentence(kind: str, payload: Payload) -> str:
    """Return what happened, in the past tense; never raises, whatever an old event holds."""
    say = SENTENCES.get(kind)
    try:
        return say(payload) if say else kind.replace("_", " ").capitalize() + "."
    except (KeyError, ValueError, TypeError):
        return kind.replace("_", " ").capitalize() + "."


def _digest(payload: Payload) -> str:
    return str(payload["digest"])[:12]


def _phase(payload: Payload) -> str:
    title = phase_title(Phase(payload["phase"]))
    return f"Rolling back {title.lower()}" if payload.get("direction") == "back" else title


def _because(payload: Payload) -> str:
    return f" Reason: {payload['reason']}" if payload.get("reason") else ""


def _gate(payload: Payload) -> str:
    gate = GATE_BY_KEY.get(payload["gate"])
    return f'"{gate.title}"' if gate else WAITS.get(payload["gate"], str(payload["gate"]))


def _figures(payload: Payload) -> str:
    """Say the counters of a result, those that are not zero first read."""
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in (payload.get("result") or {}).items())


def _succeeded(payload: Payload) -> str:
    figures = _figures(payload)
    return f"{_phase(payload)} done in {span(payload['seconds'])}{': ' + figures if figures else ''}."


def _chain_stopped(payload: Payload) -> str:
    first = payload["blockers"][0]["text"] if payload["blockers"] else ""
    return f"{phase_title(Phase(payload['phase']))} did not start by itself. {first}".strip()


SENTENCES: dict[str, Callable[[Payload], str]] = {
    "plan_created": lambda p: f"Plan created ({_digest(p)}).",
    "plan_edited": lambda p: (
        f"Edited: revision {p['revision']} ({_digest(p)})."
        + (f" {p['approvals_voided']} approval(s) void." if p["approvals_voided"] else "")
    ),
    "preflight_finished": lambda p: f"Preflight: {p['block']} to mend, {p['warn']} to know, about {p['rows']:,} rows.",
    "plan_submitted": lambda p: f"Submitted for approval: revision {p['revision']} ({_digest(p)}).",
    "plan_abandoned": lambda p: f"Abandoned.{_because(p)}",
    "approval_given": lambda p: (
        f"{p['group'].capitalize()} approved ({_digest(p)})." + (f" {p['comment']}" if p.get("comment") else "")
    ),
    "plan_approved": lambda p: f"Plan approved ({_digest(p)}).",
    "changes_requested": lambda p: f"Changes asked for: {p['comment']}",
    "gate_confirmed": lambda p: f"Confirmed: {_gate(p)}.{_because(p)}",
    "gate_overridden": lambda p: f"Overrode {_gate(p)}.{_because(p)}",
    "run_enqueued": lambda p: f"{_phase(p)} started (run {p['run']}).",
    "run_started": lambda p: f"{_phase(p)}: a worker took it up.",
    "run_continued": lambda p: f"{_phase(p)}: a worker took it up again.",
    "abort_unproven": lambda p: f"The stop is not proven yet: {p['fact']}",
    "action_started": lambda p: f"{p['title']} …",
    "action_finished": lambda p: f"{p['title']}: done.",
    "run_waited": lambda p: f"{VERDICTS[p['verdict']]}: {p['reason'].rstrip('.')}.",
    "run_wait_ended": lambda p: f"Went on after {span(p['seconds'])}.",
    "outcome_resolved": lambda p: (
        "A commit without an answer was looked up: " + ("it stands." if p["committed"] else "it does not stand.")
    ),
    "pause_requested": lambda p: f"Pause asked for.{_because(p)}",
    "run_paused": lambda p: "Paused.",
    "run_resumed": lambda p: f"Resumed.{_because(p)}",
    "run_tuned": lambda p: "Limits changed: " + ", ".join(f"{k} {v:,}" for k, v in p.items() if k != "run") + ".",
    "abort_requested": lambda p: (
        "Abort asked for"
        + (f", then rollback to before {p['then_back_to']}." if p.get("then_back_to") else ".")
        + _because(p)
    ),
    "guard_tripped": lambda p: f"Guard {p['guard']}: {p['action'].replace('_', ' ')}. {p['reason']}",
    "run_aborted": lambda p: f"{_phase(p)} aborted: the target was seen to have stopped.",
    "run_errored": lambda p: f"Stopped with an error: {p['fact']} {p['remedy']}".strip(),
    "run_failed": lambda p: f"{_phase(p)} failed: {p['fact']} {p['remedy']}".strip(),
    "run_succeeded": _succeeded,
    "chain_stopped": _chain_stopped,
    "rollback_requested": lambda p: (
        f"Rollback asked for, from {p['from'].replace('_', '-')} to before {p['to'].replace('_', '-')}.{_because(p)}"
    ),
    "rollback_ended": lambda p: (
        f"Rollback ended; standing: {p['standing'].replace('_', '-')}." if p["standing"] else "Rollback ended."
    ),
    "target_registered": lambda p: f"Registered: {p['host']}, port {p['port']}, {p['version']}.",
    "target_changed": lambda p: f"Changed: {', '.join(p['changed']) or 'its name'}.",
    "secret_replaced": lambda p: "Its password was replaced by one that works.",
    "replicas_set": lambda p: f"Replicas: {', '.join(p['replicas']) or 'none'}.",
    "person_created": lambda p: f"Account {p['username']} made.",
    "roles_given": lambda p: f"Roles given: {', '.join(p['roles'])}.",
    "password_set": lambda p: "A new password was set.",
    "signed_in": lambda p: f"Signed in from {p['address']}.",
    "sign_in_failed": lambda p: f"A sign-in from {p['address']} was refused.",
    "token_issued": lambda p: f'Token "{p["name"]}" issued for {p["days"]} days.',
    "token_revoked": lambda p: f'Token "{p["name"]}" revoked.',
    "plan_completed": lambda p: "Plan completed.",
    "plan_reverted": lambda p: "Rolled back to the start.",
}
