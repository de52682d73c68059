"""What people do with Lockstep, in a real browser, on a real target."""

from playwright.sync_api import expect

from tests.e2e.world import wait_until


def chip(page, phase):
    return page.locator(f'[data-chip="phase:{phase}"]')


def test_a_draft_is_written_in_the_browser(world, ann):
    table = world.a_table(500)
    page = ann("/plans/new/")
    page.get_by_label("Target").select_option(label="shop (production)")
    page.get_by_label("Table").fill(table)
    page.get_by_label("Column to split").fill("name")
    for index, (name, place) in enumerate((("first_name", 1), ("last_name", 2))):
        column = page.get_by_role("group", name=f"Column {index + 1}")
        column.get_by_label("New column").fill(name)
        column.get_by_label("Type").fill("text")
        column.get_by_label("Value, from the old column").fill(f"split_part(name, ' ', {place}")
    page.get_by_label("Old value, from the new columns").fill("first_name || ' ' || last_name")

    expect(page.locator("#f-parts-1-expression-error")).to_be_visible()
    for place in (1, 2):
        page.locator(f"#f-parts-{place - 1}-expression").fill(f"split_part(name, ' ', {place})")
    expect(page.locator("#f-parts-1-expression-error")).to_be_hidden()
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_role("button", name="Run the preflight").click()
    page.get_by_role("button", name="Submit for approval").click()

    expect(page.get_by_role("heading", name="Waits for an approval of expand.")).to_be_visible()


def test_what_was_aborted_goes_on_from_where_it_was(world, ann):
    plan = world.a_backfill(rows=8_000, rate=1_000)
    world.olga.post(f"runs/{plan.run()['id']}/abort/")
    wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")
    done = plan.rows_in_step()

    page = ann(plan.path)
    page.get_by_role("button", name="Start backfill").click()

    expect(chip(page, "backfill")).to_have_text("Done")
    assert 0 < done < plan.rows_in_step() == 8_000


def test_roll_back_brings_the_old_schema_back(world, ann, olga):
    plan = world.a_plan(done="verify")
    assert "first_name" in plan.columns()
    plan.confirm("new_version_stopped")

    page = olga(plan.path)
    page.get_by_role("link", name="Roll back verify").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How far").select_option(label="Down to before expand")
    dialog.get_by_role("button", name="Roll back").click()

    expect(page.locator("[data-now]")).to_contain_text("Rolled back to the start")
    assert plan.columns() == ["id", "name"]
    assert world.target.execute("SELECT count(*) FROM lockstep.plan WHERE plan = %s", [plan.id]).fetchone()[0] == 0


def test_rolling_back_after_cutover_asks_for_name_reason_and_password(world, olga):
    plan = world.a_plan(done="cutover")
    page = olga(tolerated="422")
    page.context.clear_cookies()
    page.goto("/sign-in/")
    page.get_by_role("textbox", name="Name").fill("olga")
    page.get_by_role("textbox", name="Password").fill(world.passwords["olga"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(plan.path)

    page.get_by_role("link", name="Roll back cutover").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type the target's name").fill("shop-copy")
    dialog.get_by_label("Reason").fill("error rates")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_role("alert")).to_contain_text("exactly as it is written")
    dialog.get_by_label("Type the target's name").fill("shop")
    dialog.get_by_role("button", name="Roll back").click()

    expect(chip(page, "cutover")).to_have_text("Rolled back")
