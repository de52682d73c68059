"""A plan's content: complete, canonical, and strict about everything that people sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.content import canonical, digest_of, operations_of, parse_content
from tests.builders import SPLIT_NAME, content, split
from workers.engine.adapters.memory import MemoryAdapter, MemoryServer
from workers.engine.errors import EngineError, ExpressionRefused, ParametersRefused

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def parse(raw):
    return parse_content(raw, target_uid="uid")


def refused(raw):
    with pytest.raises(EngineError) as caught:
        parse(raw)
    return caught.value


def test_what_is_left_out_is_written_into_what_is_signed():
    parsed = parse(content())

    assert parsed["limits"]["batch_rows"] == 1000
    assert parsed["rules"]["soak_s"] == 86_400
    assert parsed["chain"] is False


def test_what_was_parsed_parses_to_itself():
    parsed = parse(content(limits={"batch_rows": 500}, chain=True))

    assert parse(parsed) == parsed


@given(st.permutations(["operations", "limits", "chain"]))
def test_the_order_of_keys_does_not_change_the_digest(names):
    raw = content(limits={"batch_rows": 500}, chain=True)

    assert digest_of(parse({name: raw[name] for name in names})) == digest_of(parse(raw))


@pytest.mark.parametrize(
    "changed",
    [
        content(limits={"batch_rows": 999}),
        content(rules={"accepted_lossy_rows": 1}),
        content(guards={"slo": 0.99}),
        content(chain=True),
        split(column="nom", parts=[{**part, "expression": "nom"} for part in SPLIT_NAME["parts"]]),
    ],
)
def test_whatever_changes_what_is_done_changes_the_digest(changed):
    assert digest_of(parse(changed)) != digest_of(parse(content()))


def test_a_whole_number_is_the_same_however_it_is_written():
    assert digest_of(parse(content(limits={"lag_hold_s": 3}))) == digest_of(parse(content(limits={"lag_hold_s": 3.0})))


def test_canonical_text_holds_no_blank_that_could_differ():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


def test_the_operations_come_back_as_they_were_written():
    assert operations_of(parse(content()))[0].parameters() == SPLIT_NAME


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "operations"),
        ({"operations": []}, "operations"),
        (content(operations=[{"kind": "split_column"}]), "operations.0"),
        (content(operations=[{"kind": "split_column", "parameters": {}, "extra": 1}]), "operations.0"),
        (content(operations=[{"kind": "nothing", "parameters": {}}]), "operations.0.kind"),
        (split(parts=[]), "operations.0.parameters.parts"),
        (split(colour="red"), "operations.0.parameters.colour"),
        (split(table=""), "operations.0.parameters.table"),
        (split(table="t" * 64), "operations.0.parameters.table"),
        (split(schema="pub\x00lic"), "operations.0.parameters.schema"),
        (split(join="first_name || '"), "operations.0.parameters.join"),
        (split(join="name"), "operations.0.parameters.join"),
        (content(limits=[]), "limits"),
        (content(limits={"speed": 1}), "limits.speed"),
        (content(limits={"batch_rows": True}), "limits.batch_rows"),
        (content(limits={"batch_rows": "many"}), "limits.batch_rows"),
        (content(limits={"batch_rows": 6_000}), "limits.batch_rows"),
        (content(limits={"lag_slow_s": 3, "lag_hold_s": 2}), "limits.lag_slow_s"),
        (content(rules={"soak_s": -1}), "rules.soak_s"),
        (content(rules={"soak_s": float("nan")}), "rules.soak_s"),
        (content(chain="yes"), "chain"),
        (content(guards={"magic": 1}), "guards"),
        (content(guards={"slo": 1}), "guards.slo"),
        (content(guards={"undo_cutover": "no"}), "guards.undo_cutover"),
        (content(guards={"windows": [{"long_s": 1}]}), "guards.windows.0"),
        (
            content(guards={"windows": [{"long_s": 60, "short_s": 60, "burn": 1, "action": "pause"}]}),
            "guards.windows.0",
        ),
        (
            content(guards={"windows": [{"long_s": 60, "short_s": 6, "burn": 1, "action": "drop"}]}),
            "guards.windows.0.action",
        ),
        (content(secret="x"), "secret"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(raw, field):
    assert refused(raw).field == field


@pytest.mark.parametrize(
    "probe",
    [
        "SELECT 1; DROP TABLE users",
        "DELETE FROM users",
        "SELECT * INTO gone FROM users",
        "SELECT 1 FROM users FOR UPDATE",
        "WITH gone AS (DELETE FROM users RETURNING 1) SELECT * FROM gone",
        "COPY users TO PROGRAM 'sh'",
        "SET ROLE postgres",
        "SELECT",
        "(" * 500,
        "(SELECT 1)",
        "WITH one AS (SELECT 1) SELECT * FROM one",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "SELECT pg_catalog.pg_advisory_lock(1)",
        "SELECT dblink('host=elsewhere', 'SELECT 1')",
    ],
)
def test_a_probe_is_one_plain_select(probe):
    assert isinstance(refused(content(guards={"probe": probe})), ParametersRefused)


@pytest.mark.parametrize(
    "probe", ["select 1", "Select count(*) FROM users", "\n SELECT lower(name) FROM users LIMIT 1"]
)
def test_a_probe_that_a_plan_takes_is_one_that_an_adapter_runs(probe):
    parse_content(content(guards={"probe": probe}), target_uid="t")

    MemoryAdapter(MemoryServer()).scalar(probe, 1)


def test_an_expression_is_pointed_at_where_it_is_wrong():
    error = refused(split(join="first_name || (SELECT 1)"))

    assert isinstance(error, ExpressionRefused)
    assert error.position == 15


@given(JSON)
def test_whatever_is_given_as_an_operation_is_refused_and_never_breaks(value):
    refused({"operations": [value]})
    refused({"operations": value})
    refused({"operations": [{"kind": "split_column", "parameters": value}]})
