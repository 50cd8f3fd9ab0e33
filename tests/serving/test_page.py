"""The page in a real browser, Chromium without a window: typed on, read, in two languages, light and dark, by keyboard."""

from __future__ import annotations

import shutil

import pytest

for name in ("fastapi", "uvicorn", "prometheus_client"):
    pytest.importorskip(name)
playwright = pytest.importorskip("playwright.sync_api")

from service import Counting, running  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def client():
    labels = tuple(f"一个很长的标签名称_{number}" for number in range(7))
    with running({"one": Counting(labels), "two": Counting()}, texts=5) as client:
        yield client


@pytest.fixture
def open_page(chromium, client):
    """Open the page at a width, and at its end see that it asked nothing of others and no policy was broken."""
    opened = []

    def open_it(width=1280, scheme="light", locale="en-US"):
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale=locale)
        page, seen = context.new_page(), []
        page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("request", lambda request: None if f":{client.port}/" in request.url else seen.append(request.url))
        opened.append((context, seen))
        page.goto(f"http://127.0.0.1:{client.port}/")
        playwright.expect(page.locator("#model option")).to_have_count(2)
        return page

    yield open_it
    for context, seen in opened:
        context.close()
        assert [one for one in seen if "422" not in one] == []  # a refusal is told in the console too


def focused(page):
    return page.evaluate("document.activeElement.id")


def test_headlines_are_typed_and_answered_by_keyboard_alone(open_page):
    page = open_page()
    assert focused(page) == "texts"
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("八个字的标题一条\n\n<b>三字</b>")
    page.keyboard.press("Tab")
    assert focused(page) == "go"
    page.keyboard.press("Enter")
    page.wait_for_selector("li.text")
    first, second = page.query_selector_all("li.text")
    assert first.query_selector("h2").inner_text() == "八个字的标题一条"
    assert second.query_selector("h2").inner_text() == "<b>三字</b>"  # what is typed is text, never HTML
    rows = first.query_selector("dl").inner_text().split("\n")
    assert rows[0].startswith("一个很长的标签名称_1") and "90.0 %" in rows
    assert len(first.query_selector_all("dt")) == 5
    assert page.inner_text("#status").startswith("2 in ")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "model"
    page.keyboard.press("ArrowDown")
    page.focus("#texts")
    page.keyboard.press("Control+Enter")
    playwright.expect(page.locator("dt").first).to_have_text("two")
    assert len(page.query_selector_all("li.text:first-child dt")) == 3


def test_refusals_and_empty_input_are_said(open_page):
    page = open_page(locale="zh-CN")
    page.fill("#texts", " \n")
    page.click("#go")
    assert page.inner_text("#status") == "请先输入一条标题"
    page.fill("#texts", "\n".join("一二三四五六"))
    page.click("#go")
    playwright.expect(page.locator("#status")).to_have_text("请求失败：一次提交的标题太多")
    assert page.query_selector("li.text") is None


def test_both_languages(open_page):
    page = open_page(locale="zh-CN")
    assert page.inner_text("h1") == "文本分类" and page.evaluate("document.documentElement.lang") == "zh-CN"
    page.click("#language")
    assert page.inner_text("h1") == "Text classification" and page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    assert page.inner_text("h1") == "Text classification"  # the choice is kept


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(width)
    page.fill("#texts", "x" * 300)
    page.click("#go")
    page.wait_for_selector("li.text")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(page.url + "docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.inner_text("h2") == "POST /predict"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_on_their_ground(open_page, scheme):
    """WCAG's contrast of text, 4.5 and more."""
    page = open_page(scheme=scheme)
    page.click("#go")
    page.wait_for_selector("li.text")
    contrast = page.evaluate("""() => {
      const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map((v) => {
        v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      }).reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
      const ground = (e) => {
        const colour = getComputedStyle(e).backgroundColor;
        return /, 0\\)$/.test(colour) && e.parentElement ? ground(e.parentElement) : colour;
      };
      return ["h1", "p", "label", "textarea", "#go", "#keys", "#status", "dt", "footer a"].map((name) => {
        const e = document.querySelector(name);
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
        return [name, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
      });
    }""")
    assert [found for found in contrast if found[1] < 4.5] == []
