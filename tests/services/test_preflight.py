"""The preflight against a real target: what it finds is kept with the plan it looked at, and nothing is changed."""

import psycopg
import pytest

from migrations_app.models import Event, Plan
from migrations_app.services import preflight
from migrations_app.services.errors import DigestMoved, ServiceRefused
from migrations_app.services.plans import plan_edit
from migrations_app.services.preflight import preflight_run
from migrations_app.services.targets import target_register
from tests.builders import ADMIN, AUTHOR, a_plan, a_user, content, split
from workers.engine.errors import Unreachable, WrongServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def author():
    return a_user(AUTHOR)


@pytest.fixture
def plan(shop_fields, author):
    target = target_register(shop_fields, actor=a_user(ADMIN))
    return a_plan(target=target, author=author)


def objections(plan, author):
    return {item["code"]: item for item in preflight_run(plan, actor=author).preflight["objections"]}


def test_a_sound_plan_has_nothing_against_it(plan, author):
    looked_at = preflight_run(plan, actor=author)

    assert [item for item in looked_at.preflight["objections"] if item["severity"] == "block"] == []
    assert looked_at.preflight["digest"] == plan.digest


def test_the_preview_holds_every_statement_there_and_back(plan, author):
    preview = preflight_run(plan, actor=author).preflight["preview"]

    titles = [(row["phase"], row["direction"]) for row in preview]
    assert titles[0] == ("expand", "forward")
    assert ("cutover", "back") in titles
    assert "ADD COLUMN" in preview[0]["statements"][0]


def test_the_target_is_as_it_was(shop, plan, author):
    before = catalogue(shop)

    preflight_run(plan, actor=author)

    assert catalogue(shop) == before


@pytest.mark.parametrize("probe", ["SELECT 1 FROM nowhere", "SELECT nothing FROM users", "SELECT 1 FROM pg_sleep(9)"])
def test_a_probe_that_does_not_work_is_refused_before_it_holds_a_run(shop_fields, author, settings, probe):
    settings.LOCKSTEP_STATEMENT_TIMEOUT_S = 0.3
    target = target_register(shop_fields, actor=a_user(ADMIN))
    plan = a_plan(target=target, author=author, raw=content(guards={"probe": probe}))

    assert objections(plan, author)["probe_refused"]["field"] == "guards.probe"


def catalogue(shop):
    return shop.root.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3"
    ).fetchall()


def test_rows_that_the_mapping_does_not_restore_are_counted(shop, plan, author):
    shop.root.execute("UPDATE users SET name = 'Mary Ann Smith' WHERE id <= 3")

    found = objections(plan, author)

    assert [item["count"] for item in found.values() if item["severity"] == "block"] == [3]


def test_rows_that_were_signed_for_do_not_block(shop, plan, author):
    shop.root.execute("UPDATE users SET name = 'Mary Ann Smith' WHERE id <= 3")
    plan_edit(plan, "", content(rules={"accepted_lossy_rows": 3}), actor=author, seen_digest=plan.digest)

    found = objections(Plan.objects.get(pk=plan.pk), author)

    assert not [item for item in found.values() if item["severity"] == "block"]


def test_a_table_that_does_not_exist_blocks(plan, author):
    edited = plan_edit(plan, "", split(table="nowhere"), actor=author, seen_digest=plan.digest)

    assert objections(edited, author)["table_not_found"]["severity"] == "block"


def test_a_column_that_does_not_exist_blocks(plan, author):
    parts = [
        {"name": "a", "type": "text", "expression": "split_part(nickname, ' ', 1)"},
        {"name": "b", "type": "text", "expression": "split_part(nickname, ' ', 2)"},
    ]
    raw = split(column="nickname", parts=parts, join="a || ' ' || b")
    edited = plan_edit(plan, "", raw, actor=author, seen_digest=plan.digest)

    assert objections(edited, author)["column_not_found"]["severity"] == "block"


def test_a_table_without_a_usable_key_blocks(shop, plan, author):
    shop.create("ALTER TABLE users DROP CONSTRAINT users_pkey")

    assert objections(plan, author)["no_usable_key"]["severity"] == "block"


def test_a_new_column_that_exists_with_another_type_blocks(shop, plan, author):
    shop.create("ALTER TABLE users ADD COLUMN first_name integer")

    assert objections(plan, author)["column_mismatch"]["severity"] == "block"


def test_a_new_column_that_exists_exactly_so_is_adopted(shop, plan, author):
    shop.create("ALTER TABLE users ADD COLUMN first_name text")

    assert not [item for item in objections(plan, author).values() if item["severity"] == "block"]


def test_a_missing_privilege_blocks_with_its_grant(shop, plan, author):
    shop.root.execute("REVOKE shop_owner FROM lockstep_executor")

    found = objections(plan, author)

    shop.root.execute("GRANT shop_owner TO lockstep_executor")
    assert any("GRANT" in item["remedy"] for item in found.values() if item["severity"] == "block")


def test_a_replica_that_is_gone_blocks(plan, author):
    plan.target.replicas.create(name="replica1", host=plan.target.host, port=1)

    found = objections(plan, author)

    assert found["replica_gone"]["severity"] == "block"
    assert "replica1" in found["replica_gone"]["text"]


def test_a_target_that_does_not_answer_is_said_and_nothing_is_stored(plan, author):
    plan.target.port = 1
    plan.target.save()

    with pytest.raises(Unreachable):
        preflight_run(plan, actor=author)

    assert Plan.objects.get(pk=plan.pk).preflight is None


def test_another_server_at_the_address_is_noticed(plan, author):
    plan.target.system = "1"
    plan.target.save()

    with pytest.raises(WrongServer):
        preflight_run(plan, actor=author)


def test_a_table_that_somebody_holds_is_looked_at_all_the_same(shop, plan, author):
    with psycopg.connect(shop.root.info.dsn, password=shop.superuser_password) as other:
        other.execute("UPDATE users SET name = name WHERE id = 1")

        assert preflight_run(plan, actor=author).preflight["digest"] == plan.digest


def test_what_was_found_of_a_plan_that_was_edited_meanwhile_is_thrown_away(plan, author, monkeypatch):
    def look(looked_at):
        plan_edit(looked_at, "", content(limits={"batch_rows": 500}), actor=author, seen_digest=looked_at.digest)
        return {"rows": 0, "objections": [], "preview": []}

    monkeypatch.setattr(preflight, "_look", look)

    with pytest.raises(DigestMoved):
        preflight_run(plan, actor=author)

    assert Plan.objects.get(pk=plan.pk).preflight is None


def test_a_plan_that_has_started_is_not_looked_at_again(author):
    with pytest.raises(ServiceRefused) as caught:
        preflight_run(a_plan(done="expand", author=author), actor=author)

    assert caught.value.code == "plan_started"


def test_the_event_counts_what_was_found(plan, author):
    preflight_run(plan, actor=author)

    event = Event.objects.get(kind="preflight_finished")
    assert (event.payload["rows"], event.payload["block"]) == (300, 0)
