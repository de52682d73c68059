"""The form of a plan: what is wrong is told at its field, and nothing that was typed is lost."""

import pytest

from migrations_app.models import Plan
from tests.builders import APPROVER, AUTHOR, VIEWER, a_plan, a_target, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def author(as_person):
    return as_person(a_user(AUTHOR))


@pytest.fixture
def typed(author):
    """A form as its page has it, filled in well."""
    values = dict(_inputs(author.get("/plans/new/").html))
    return values | {
        "target": str(a_target().pk),
        "table": "users",
        "column": "name",
        "parts.0.name": "first_name",
        "parts.0.type": "text",
        "parts.0.expression": "split_part(name, ' ', 1)",
        "parts.1.name": "last_name",
        "parts.1.type": "text",
        "parts.1.expression": "split_part(name, ' ', 2)",
        "join": "first_name || ' ' || last_name",
    }


def test_a_form_that_is_well_filled_in_makes_a_draft(author, typed):
    page = author.post("/plans/new/", **typed)

    plan = Plan.objects.get()
    assert (page.response.redirect_chain[0][0], plan.status) == (f"/plans/{plan.pk}/", "draft")
    assert plan.title == "Split public.users.name into first_name, last_name"


def test_the_defaults_of_the_form_are_those_of_a_plan(author, typed):
    author.post("/plans/new/", **typed)
    saved = Plan.objects.get().content

    assert saved["limits"]["lag_hold_s"] == 2
    assert [window["action"] for window in saved["guards"]["windows"]] == ["pause", "abort"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("target", "", "No target is chosen."),
        ("target", "4711", "There is no such target."),
        ("table", "", "is missing"),
        ("table", "t" * 64, "bytes"),
        ("parts.1.name", "first_name", "is used twice"),
        ("parts.0.expression", "split_part(name, ' ', 1); DROP TABLE users", "not"),
        ("parts.0.expression", "(SELECT 1)", "not"),
        ("join", "first_name || other", "cannot be used here"),
        ("limits.lag_hold_s", "soon", "is not a number"),
        ("limits.batch_rows", "1", "must be a number from 10"),
        ("guards.probe", "DELETE FROM users", "not one plain SELECT"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(author, typed, field, value, words):
    page = author.post("/plans/new/", **(typed | {field: value}))

    told = _errors(page.html)
    assert page.status == 422
    assert words in told[field], told
    assert not Plan.objects.exists()


def test_an_expression_shows_the_offending_place(author, typed):
    page = author.post("/plans/new/", **(typed | {"parts.0.expression": "upper(name) + random()"}))

    assert "<b>" in page.html.split('id="f-parts-0-expression-error"')[1].split("</pre>")[0]


def test_several_things_are_told_at_once(author, typed):
    page = author.post("/plans/new/", **(typed | {"parts.0.expression": "now()", "join": "nothing"}))

    assert {"parts.0.expression", "join"} <= {name for name, words in _errors(page.html).items() if words}


def test_what_was_typed_stays(author, typed):
    page = author.post("/plans/new/", **(typed | {"join": "wrong("}))

    assert dict(_inputs(page.html))["parts.0.expression"] == "split_part(name, &#x27; &#x27;, 1)"


def test_a_further_column_needs_no_script(author, typed):
    page = author.post("/plans/new/", **(typed | {"add_part": "1"}))

    assert 'name="parts.2.expression"' in page.html
    assert not Plan.objects.exists()


def test_a_column_that_was_left_blank_is_left_out(author, typed):
    author.post("/plans/new/", **(typed | {"part_count": "3"}))

    assert len(Plan.objects.get().content["operations"][0]["parameters"]["parts"]) == 2


def test_what_is_typed_is_checked_while_it_is_typed(author, typed):
    answer = author.send("/plans/check/", **(typed | {"join": "first_name ||"}))

    assert answer.json()["problems"]["join"]["fact"]
    assert not Plan.objects.exists()


def test_somebody_who_writes_no_plans_is_told_so(as_person, typed):
    page = as_person(a_user(VIEWER)).post("/plans/new/", **typed)

    assert "You may not do this here" in page
    assert not Plan.objects.exists()


def test_a_change_makes_a_revision_and_voids_approvals(as_person, author):
    plan = a_plan("approved", author=author.user)
    values = dict(_inputs(author.get(f"/plans/{plan.pk}/edit/").html)) | {"join": "first_name || '-' || last_name"}
    values |= {name: _plain(value) for name, value in values.items()}

    page = author.post(f"/plans/{plan.pk}/edit/", **values)

    plan.refresh_from_db()
    assert "Saved as revision 2" in page
    assert (plan.status, plan.revision) == ("draft", 2)


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(author):
    plan = a_plan("submitted", author=author.user)
    values = {n: _plain(v) for n, v in _inputs(author.get(f"/plans/{plan.pk}/edit/").html)} | {"seen_digest": "0" * 64}

    page = author.post(f"/plans/{plan.pk}/edit/", **(values | {"join": "first_name"}))

    assert "was edited meanwhile" in page
    assert Plan.objects.get().revision == 1


def test_an_approver_cannot_change_a_plan(as_person):
    plan = a_plan("submitted")

    assert as_person(a_user(APPROVER)).get(f"/plans/{plan.pk}/edit/").status == 403


def _inputs(html):
    """Return name and value of each input of the page's form."""
    import re

    form = html.split("data-plan-form", 1)[1].split("</form>", 1)[0]
    for tag in re.findall(r"<input\b[^>]*>", form):
        name = re.search(r'\bname="([^"]+)"', tag)
        if name and not ('type="checkbox"' in tag and " checked" not in tag):
            yield name[1], (re.search(r'\bvalue="([^"]*)"', tag) or ["", "on"])[1]
    for name, options in re.findall(r'<select\b[^>]*\bname="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        yield name, chosen[1] if chosen else ""


def _errors(html):
    import re

    found = {}
    for name, inner in re.findall(r'data-field="([^"]+)">(.*?)</div>\s*</div>', html, re.S):
        error = re.search(r"data-error[^>]*>(.*)", inner, re.S)
        found[name] = re.sub(r"<[^>]+>", "", error[1]) if error else ""
    return found


def _plain(value):
    from html import unescape

    return unescape(value)
