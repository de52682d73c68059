"""The shapes of what the API takes. Fields that are not listed are refused; rules live in services and policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from migrations_app.api.shapes import PHASE_NAMES, PLAN_STATUSES

LARGEST_ID = 2**63 - 1


class Strict(serializers.Serializer):
    """Refuses what it does not know: a misspelt field must not be taken for one left out."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name: [f'There is no field "{name}" here.'] for name in unknown}, code="unknown_field"
                )
        return super().to_internal_value(data)


class PasswordField(serializers.CharField):
    """Write-only, exactly as typed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=1024, **kwargs)


def _id(**kwargs: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=LARGEST_ID, **kwargs)


def _text(most: int, **kwargs: Any) -> serializers.CharField:
    return serializers.CharField(max_length=most, **({"required": False, "allow_blank": True, "default": ""} | kwargs))


def _digest() -> serializers.CharField:
    return serializers.RegexField(r"^[0-9a-f]{64}$", help_text="The digest of the plan that you have looked at.")


class SignIn(Strict):
    username = serializers.CharField(max_length=150)
    password = PasswordField()


class TokenWish(Strict):
    name = serializers.CharField(max_length=64)
    days = serializers.IntegerField(min_value=1, max_value=366, default=90)
    password = PasswordField(required=False, help_text="Needed unless you gave it a moment ago.")


class ReplicaWish(Strict):
    name = serializers.CharField(max_length=64)
    host = serializers.CharField(max_length=255)
    port = serializers.IntegerField(min_value=1, max_value=65_535, default=5432)


class TargetPlace(Strict):
    """Where a target is and as whom: fields, never a DSN."""

    project = serializers.CharField(max_length=64, required=False)
    environment = serializers.CharField(max_length=16, required=False)
    engine = serializers.CharField(max_length=16, required=False)
    host = serializers.CharField(max_length=255)
    port = serializers.IntegerField(min_value=1, max_value=65_535, required=False)
    database = serializers.CharField(max_length=63)
    username = serializers.CharField(max_length=63)
    tls = serializers.CharField(max_length=16, required=False)
    tls_ca_file = serializers.CharField(max_length=255, required=False, allow_blank=True)
    secret_kind = serializers.CharField(max_length=16, help_text="environment, file or sealed")
    secret_reference = serializers.CharField(max_length=255, required=False, allow_blank=True)
    password = PasswordField(required=False, help_text="Only with the kind sealed; never shown again.")
    replicas = ReplicaWish(many=True, required=False)


class TargetWish(TargetPlace):
    name = serializers.CharField(max_length=64)


class TargetChange(Strict):
    name = serializers.CharField(max_length=64, required=False)
    host = serializers.CharField(max_length=255, required=False)
    port = serializers.IntegerField(min_value=1, max_value=65_535, required=False)
    database = serializers.CharField(max_length=63, required=False)
    username = serializers.CharField(max_length=63, required=False)
    tls = serializers.CharField(max_length=16, required=False)
    tls_ca_file = serializers.CharField(max_length=255, required=False, allow_blank=True)
    target_password = PasswordField(required=False, help_text="The target's present password; see the description.")


class SecretWish(Strict):
    secret_kind = serializers.CharField(max_length=16, help_text="environment, file or sealed")
    secret_reference = serializers.CharField(max_length=255, required=False, allow_blank=True)
    password = PasswordField(required=False)


class ReplicasWish(Strict):
    replicas = ReplicaWish(many=True)
    target_password = PasswordField(required=False, help_text="Needed for an address that is new.")


class PlanWish(Strict):
    target = _id()
    title = _text(120)
    content = serializers.DictField(help_text="operations, limits, rules, guards, chain")


class PlanChange(Strict):
    digest = _digest()
    title = _text(120)
    content = serializers.DictField()


class Nothing(Strict):
    """An empty object."""


class Abandonment(Strict):
    reason = _text(2000)


class ApprovalWish(Strict):
    group = serializers.CharField(max_length=16, help_text="expand, cutover or contract")
    digest = _digest()
    comment = _text(2000)


class ChangesWish(Strict):
    digest = _digest()
    comment = _text(2000, required=True, allow_blank=False, default=serializers.empty)


class GateWish(Strict):
    override = serializers.BooleanField(default=False)
    reason = _text(2000)


class StartWish(Strict):
    chain_until = serializers.ChoiceField(choices=PHASE_NAMES, required=False, allow_blank=True, default="")
    confirm_target = _text(64, help_text="The target's name, for contract and purge.")
    password = PasswordField(required=False, help_text="For contract and purge, unless you gave it a moment ago.")


class RollbackWish(Strict):
    to = serializers.ChoiceField(
        choices=PHASE_NAMES, required=False, allow_blank=True, default="", help_text="Last phase to undo."
    )
    reason = _text(2000)
    confirm_target = _text(64, help_text="The target's name, from cutover on.")
    password = PasswordField(required=False, help_text="From cutover on, unless you gave it a moment ago.")


class CommandWish(Strict):
    reason = _text(2000)


class TuneWish(Strict):
    rate_rows_per_s = serializers.FloatField(required=False, min_value=0)
    batch_rows = serializers.FloatField(required=False, min_value=0)


class PlanQuery(Strict):
    status = serializers.ChoiceField(choices=PLAN_STATUSES, required=False)
    target = _id(required=False)
    before = _id(required=False, help_text="Only plans with a smaller id: `next` of the page before.")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class RunQuery(Strict):
    plan = _id(required=False)
    before = _id(required=False, help_text="Only runs with a smaller id: `next` of the page before.")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class EventQuery(Strict):
    after = _id(default=0, help_text="Only events with a larger seq.")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=500)


class SampleQuery(Strict):
    run = _id(required=False, help_text="The present run of the plan, unless given.")
    after = _id(default=0, help_text="Only samples with a larger n.")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=500)
