"""What people do with Lockstep, in a real browser, on a real target."""

import re
import time

from playwright.sync_api import expect

from tests.e2e.world import wait_until


def chip(page, phase):
    return page.locator(f'[data-chip="phase:{phase}"]')


def test_the_approver_approves_and_the_author_starts(world, paul, ann):
    plan = world.a_submitted_plan()

    window = paul(plan.path)
    window.get_by_role("link", name="Look at it and approve expand").click()
    window.get_by_role("button", name=re.compile(r"Approve r1 \([0-9a-f]{12}\)")).click()
    expect(window.get_by_text("You approved expand of revision 1")).to_be_visible()
    author = ann(plan.path)
    author.get_by_role("button", name="Start expand").click()

    expect(chip(author, "expand")).to_have_text("Done")
    expect(author.get_by_role("button", name="Start dual-write")).to_be_visible()
    assert {"first_name", "last_name"} <= set(plan.columns())


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


def test_the_charts_move(world, ann):
    plan = world.a_backfill()
    page = ann(plan.path)
    expect(page.locator("[data-pill]")).to_contain_text("Live")
    page.wait_for_function(
        "document.querySelector('[data-chart=progress] .js-plotly-plot, [data-canvas].js-plotly-plot')"
    )
    before = points(page)

    wait_until(lambda: points(page) >= before + 3, "three more points are drawn")

    assert page.locator("[data-canvas] .main-svg").count() >= 4
    assert int(page.locator('[data-number="rows"]').inner_text().replace(",", "")) > 0


def test_abort_stops_the_writes_within_a_second(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)
    page.get_by_role("link", name="Abort backfill").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep running")).to_be_focused()

    dialog.get_by_text("Replicas fall behind").click()
    pressed_at = time.time()
    dialog.get_by_role("button", name="Abort backfill").click()
    expect(page.get_by_text("Stop proven")).to_be_visible()

    last_write_at = world.target.execute(
        "SELECT extract(epoch FROM max(written_at))::float FROM lockstep.progress WHERE plan = %s", [plan.id]
    ).fetchone()[0]
    written = plan.rows_in_step()
    time.sleep(1.5)
    assert last_write_at - pressed_at < 1.0
    assert (plan.rows_in_step(), plan.sessions()) == (written, 0)
    expect(page.locator("[data-now]")).to_contain_text("Backfill was aborted by Olga On-Call")


def test_what_was_aborted_goes_on_from_where_it_was(world, ann):
    plan = world.a_backfill(rows=8_000, rate=1_000)
    world.olga.post(f"runs/{plan.run()['id']}/abort/")
    wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")
    done = plan.rows_in_step()

    page = ann(plan.path)
    page.get_by_role("button", name="Start backfill").click()

    expect(chip(page, "backfill")).to_have_text("Done")
    assert 0 < done < plan.rows_in_step() == 8_000


def test_pause_and_resume_are_one_click_each(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)

    page.get_by_role("button", name="Pause backfill").click()
    expect(page.get_by_role("button", name="Resume backfill")).to_be_visible()
    wait_until(lambda: plan.run()["status"] == "paused", "the run is paused")
    standing = plan.rows_in_step()
    time.sleep(1)
    unchanged = plan.rows_in_step()
    page.get_by_role("button", name="Resume backfill").click()

    wait_until(lambda: plan.rows_in_step() > standing, "it goes on")
    assert unchanged == standing


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
    page = olga(plan.path, extra_http_headers={})
    page.context.clear_cookies()
    page.goto("/sign-in/")
    page.get_by_label("Name").fill("olga")
    page.get_by_label("Password").fill(world.passwords["olga"])
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


def points(page):
    line = "find((trace) => trace.uid === 'progress:rows').x.length"
    return page.evaluate(f"document.querySelector('[data-chart=progress] [data-canvas]').data.{line}")
