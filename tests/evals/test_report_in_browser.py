"""The HTML report in a real browser: safe, readable, reachable by keys, printable."""

import os
import shutil
from dataclasses import replace

import pytest

from evals.report import render

CONTRAST = """() => {
  const channel = value => value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    if (style.visibility === "hidden") continue;
    const drawn = element instanceof SVGElement ? style.fill : style.color;
    const [one, two] = [light(parse(drawn)), light(behind(element))].sort((a, b) => b - a);
    seen += 1;
    if ((one + 0.05) / (two + 0.05) < 4.5) poor.push([element.outerHTML.slice(0, 120), drawn]);
  }
  return {seen, poor};
}"""


@pytest.fixture(scope="module")
def browser(need_system):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    need_system("chromium", "opens the report as a reader would", present=program is not None)
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox cannot be had by root; the pages are ours.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*sandbox, "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def hostile(evaluated, hostile_words):
    run = evaluated(12, words=hostile_words)
    return render(replace(run, setup=replace(run.setup, run="r-2")), run)


@pytest.fixture
def opened(browser, tmp_path):
    """``opened(page, dark=False)``: a tab that shows the page, and what it said and asked for."""
    contexts = []

    def open_(page, *, dark=False):
        file = tmp_path / "report.html"
        file.write_text(page, encoding="utf-8")
        size, scheme = {"width": 1200, "height": 900}, "dark" if dark else "light"
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        tab, said = context.new_page(), []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: said.append(request.url))
        tab.goto(file.as_uri())
        return tab, [each for each in said if each not in {file.as_uri(), "data:,"}]

    yield open_
    for context in contexts:
        context.close()


def test_a_browser_shows_hostile_text_as_text_and_asks_for_nothing(opened, hostile):
    tab, said = opened(hostile)
    assert said == []
    assert tab.title() == "Evaluation of questions.jsonl"
    assert tab.locator("img, script, iframe, object").count() == 0
    assert tab.locator("svg[onload]").count() == 0
    assert tab.get_by_text("<script>document.title").count() > 10


def test_the_policy_stops_what_would_be_planted_in_it(opened, page):
    script = "<script>document.title='stolen'</script>"
    image = """<img src=x onerror="document.title='stolen'">"""
    planted = page.replace("</main>", f"{script}{image}</main>")
    tab, said = opened(planted)
    assert tab.title() == "Evaluation of questions.jsonl"
    assert any("Content Security Policy" in each for each in said)


def test_the_page_never_scrolls_sideways(opened, hostile):
    tab, _ = opened(hostile)
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width in (320, 400, 800, 1200):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_what_is_behind_it(opened, both, dark):
    tab, _ = opened(both, dark=dark)
    behind = "rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == behind
    found = tab.evaluate(CONTRAST)
    assert found["seen"] > 500
    assert found["poor"] == []


def test_keys_alone_reach_the_report_its_folds_and_the_marks(opened, page):
    tab, _ = opened(page)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert tab.locator(".skip").first.bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "report"
    folded = tab.locator("#evaluated")
    assert folded.get_attribute("open") is None
    folded.locator("summary").focus()
    tab.keyboard.press("Enter")
    assert folded.get_attribute("open") is not None
    point = tab.locator("a.point").first
    point.focus()
    assert point.locator(".tip").is_visible()
    assert "How many days" in point.locator(".tip").text_content()
    assert (
        tab.evaluate("getComputedStyle(document.activeElement.querySelector('.mark')).strokeWidth") == "2.5px"
    )
    tab.keyboard.press("Enter")
    assert tab.locator("tr:target").is_visible()  # the fold around the row opens by itself


def test_a_mark_that_is_pointed_at_tells_its_question(opened, page):
    tab, _ = opened(page)
    chart = tab.locator("svg.square").first
    assert chart.locator(".hint").is_visible()
    chart.locator(".point .mark").last.hover()
    assert chart.locator(".point .tip").last.is_visible()
    assert not chart.locator(".hint").is_visible()


def test_paper_shows_every_section_and_what_was_folded(opened, page):
    from pypdfium2 import PdfDocument

    tab, _ = opened(page)
    printed = PdfDocument(tab.pdf(prefer_css_page_size=True))
    shown = " ".join(each.get_textpage().get_text_range() for each in printed)
    printed.close()
    flat = "".join(shown.split())
    headings = tab.locator("h2").all_text_contents()
    assert len(headings) > 8
    assert [heading for heading in headings if "".join(heading.split()) not in flat] == []
    for folded in ("cdcdcdcd", "search.k", "Expected answer", "Confidence from"):
        assert "".join(folded.split()) in flat
    assert "Skiptothereport" not in flat
