"""Logical replication past the sync's triggers, or without a replica identity, breaks what the sync promises."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    for dependant in subject.shape.dependants:
        if dependant.kind == "subscription":
            yield Objection(
                "fed_by_subscription",
                "Rows arrive by logical replication",
                Severity.BLOCK,
                f"{dependant.name.capitalize()} writes into {subject.shape.table}, and its writes pass by triggers.",
                "Plan the change where these rows come from, or end the subscription.",
            )
        if dependant.kind == "publication without replica identity":
            yield Objection(
                "replica_identity",
                "No replica identity",
                Severity.BLOCK,
                f"The publication {dependant.name} publishes updates of {subject.shape.table}, which has no replica"
                " identity: an update would fail.",
                "ALTER TABLE ... REPLICA IDENTITY USING INDEX with the table's unique index.",
            )
