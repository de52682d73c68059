"""The live page when things around it fail: the socket, the scripts, a worker, the feed."""

import pytest
from playwright.sync_api import expect

from tests.e2e.windows import LINE
from tests.e2e.world import wait_until

GAP_MS = 5_000  # as migrations_app.charts.GAP_S: the longest stretch that is drawn as measured


class Line:
    """The page's sockets, in the test's hand."""

    def __init__(self, page):
        self.sockets = []
        self.is_mute = False
        page.route_web_socket("**/feed/plans/**", self.open)

    def open(self, socket):
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(lambda text: None if self.is_mute else socket.send(text))
        self.sockets.append(socket)

    def cut(self):
        self.sockets[-1].close(code=4000)


def drawn(page):
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-canvas]")].flatMap((node) => node.data)
            .filter((trace) => ["progress:rows", "lag:replica"].includes(trace.uid))
            .map((trace) => [trace.uid, trace.x.filter((x, i) => trace.y[i] !== null)]))"""
    )


def test_a_socket_that_is_cut_again_and_again_leaves_no_gap(world, ann):
    plan = world.a_backfill()
    page = ann(tolerated=LINE)
    line = Line(page)
    page.goto(plan.path)
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length === 4")

    for rate in (800, 900):
        page.wait_for_timeout(1)  # lets the socket's own events in
        line.cut()
        world.olga.post(f"runs/{plan.run()['id']}/tune/", {"rate_rows_per_s": rate})
        expect(page.locator(".log")).to_contain_text(f"{rate}")
    measured = world.ann.get(f"plans/{plan.id}/samples/?after=0")["samples"]
    wait_until(lambda: len(drawn(page)["progress:rows"]) >= len(measured), "what was measured meanwhile is drawn")

    rows = drawn(page)["progress:rows"]
    seqs = [int(text) for text in page.locator(".log .seq").all_inner_texts()]
    assert len(line.sockets) >= 3
    assert max(b - a for a, b in zip(rows, rows[1:], strict=False)) < GAP_MS
    assert len(set(rows)) == len(rows) and rows == sorted(rows)
    assert seqs == list(range(seqs[0], seqs[-1] - 1, -1))


def test_a_page_without_a_socket_asks_by_itself_and_says_so(world, ann):
    plan = world.a_backfill()
    page = ann(tolerated=LINE)
    page.route_web_socket("**/feed/plans/**", lambda socket: socket.close(code=4000))
    page.goto(plan.path)

    expect(page.locator("[data-pill]")).to_contain_text("Polling")
    before = len(drawn(page)["progress:rows"])
    wait_until(lambda: len(drawn(page)["progress:rows"]) >= before + 3, "the charts go on")


def test_a_page_that_hears_nothing_says_how_stale_it_is_and_can_still_abort(world, olga):
    plan = world.a_backfill()
    page = olga(tolerated=LINE)
    line = Line(page)
    page.route("**/feed/?**", lambda route: route.abort())
    page.goto(plan.path)
    expect(page.locator("[data-pill]")).to_contain_text("Live")

    line.is_mute = True
    page.route("**/plans/*/feed/**", lambda route: route.abort())

    expect(page.locator("[data-pill]")).to_contain_text("Stale")
    assert page.title().startswith("⚠ stale")
    assert page.locator(".charts.is-stale").count() == 1
    page.get_by_role("link", name="Abort backfill").click()
    page.get_by_role("dialog").get_by_role("button", name="Abort backfill").click()
    wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")


def test_abort_needs_no_worker(world, olga):
    plan = world.a_backfill()
    worker = world.stack.children["worker-lanes"]
    worker.stop()
    try:
        page = olga(plan.path)
        page.get_by_role("link", name="Abort backfill").click()
        page.get_by_role("dialog").get_by_role("button", name="Abort backfill").click()

        expect(page.get_by_text("Stop proven")).to_be_visible()
        assert plan.run()["status"] == "aborted"
    finally:
        worker.start()


def test_signing_out_elsewhere_ends_the_page(world, ann):
    plan = world.a_plan()
    page = ann(plan.path, tolerated=LINE)
    expect(page.locator("[data-pill]")).to_contain_text("Live")
    other = page.context.new_page()
    other.goto("/")

    other.locator(".person > summary").click()
    other.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/sign-in/**")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_kept(world, ann, theme):
    other = "dark" if theme == "light" else "light"
    page = ann("/", color_scheme=theme)

    page.get_by_role("button", name="Light or dark").click()
    page.reload()

    assert page.evaluate("document.documentElement.dataset.theme") == other


def test_the_page_follows_a_phase_that_somebody_else_starts(world, ann):
    plan = world.a_plan()
    page = ann(plan.path)
    expect(page.locator("[data-pill]")).to_contain_text("Live")

    plan.do("expand")

    expect(page.get_by_role("button", name="Start dual-write")).to_be_visible()
    expect(page.locator('[data-chip="phase:expand"]')).to_have_text("Done")
    expect(page.get_by_role("button", name="Start expand")).to_have_count(0)
