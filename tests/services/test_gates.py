"""A gate is confirmed when what it says can be true."""

import pytest

from migrations_app.services.approvals import gate_confirm
from migrations_app.services.errors import ServiceRefused
from tests.builders import OPERATOR, a_plan, a_user, a_watched_target

pytestmark = pytest.mark.django_db
OF_CONTRACT = ("old_version_stopped", "backup_before_contract")


@pytest.mark.parametrize("gate", OF_CONTRACT)
def test_what_contract_waits_for_is_not_confirmed_before_cutover(gate):
    plan = a_plan(done="verify", target=a_watched_target())

    with pytest.raises(ServiceRefused) as caught:
        gate_confirm(plan, gate, actor=a_user(OPERATOR))

    assert caught.value.code == "gate_too_early"


@pytest.mark.parametrize("gate", OF_CONTRACT)
def test_what_contract_waits_for_is_confirmed_after_cutover(gate):
    plan = a_plan(done="cutover", target=a_watched_target())

    assert gate_confirm(plan, gate, actor=a_user(OPERATOR)).gate == gate


def test_an_override_may_be_given_with_the_plan():
    plan = a_plan(target=a_watched_target())

    assert gate_confirm(plan, "backup_before_contract", actor=a_user(OPERATOR), reason="a rehearsal", override=True)
