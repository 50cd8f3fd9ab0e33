"""/explain, and "Why?" on the page, over a graph that adds token scores: 球 2 and 队 1 for sports, 车 3 for car."""

from __future__ import annotations

import shutil

import pytest

for name in ("fastapi", "uvicorn", "prometheus_client", "onnxruntime"):
    pytest.importorskip(name)

from service import Counting, running  # noqa: E402
from toy_bundle import write_toy_bundle  # noqa: E402

from prompt_kit.inference.predictor import Predictor  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")
    toy = Predictor(folder, device="cpu", num_threads=1)
    pairs = Counting(("a", "b"), ("text_a", "text_b"))
    with running({"toy": toy, "pairs": pairs}, characters=100) as client:
        client.predictor = toy
        yield client


def test_what_the_service_says_is_what_the_predictor_says(client):
    status, answer = client.post("/explain", {"text": "球 新车"})
    (one,) = client.predictor.explain(["球 新车"])
    assert status == 200 and (answer["model"], answer["label"], answer["is_cut"]) == ("toy", "car", False)
    assert answer["score"] == pytest.approx(one.score, abs=1e-6)
    assert [(each["text"], each["start"]) for each in answer["characters"]] == [("球", 0), ("新", 2), ("车", 3)]
    assert [each["log_odds"] for each in answer["characters"]] == pytest.approx(
        [each.log_odds for each in one.effects], abs=1e-6
    )
    assert answer["characters"][0]["log_odds"] < 0 < answer["characters"][2]["log_odds"]


def test_another_label(client):
    answer = client.post("/explain", {"text": "球车", "label": "sports", "model": "toy"})[1]
    assert answer["label"] == "sports" and answer["characters"][0]["log_odds"] > 0


def test_a_long_text_costs_no_more_than_the_model_reads(client):
    status, answer = client.post("/explain", {"text": "球" * 100})
    assert status == 200 and answer["is_cut"] and len(answer["characters"]) < 16


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "wrong_shape"),
        ({"text": ["球"]}, "wrong_shape"),
        ({"texts": ["球"]}, "wrong_shape"),
        ({"text": "球", "label": 1}, "wrong_shape"),
        ({"text": "球", "label": "news"}, "no_such_label"),
        ({"text": "球", "model": "news"}, "no_such_model"),
        ({"text": " "}, "empty_text"),
        ({"text": "球" * 101}, "text_too_long"),
        ({"text": "球", "model": "pairs"}, "no_pairs"),
        ({"text": "球", "text_pair": "车"}, "wrong_shape"),
    ],
)
def test_refusals(client, body, code):
    status, answer = client.post("/explain", body)
    assert status in (404, 422) and answer["error"]["code"] == code


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_why_by_keyboard(chromium, client, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="zh-CN")
    page, seen = context.new_page(), []
    page.on("console", lambda message: seen.append(message.text))
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.wait_for_selector("#model option:nth-child(2)", state="attached")
    page.fill("#texts", "😀球新车")
    page.focus("#go")
    page.keyboard.press("Enter")
    page.wait_for_selector("li.text")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "为什么？"
    page.keyboard.press("Enter")
    page.wait_for_selector(".letters")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert page.inner_text(".letters") == "😀球新车"
    assert [each.inner_text() for each in page.query_selector_all(".letters .for")] == ["车"]
    assert [each.inner_text() for each in page.query_selector_all(".letters .against")] == ["球"]
    told = page.inner_text(".why > div")
    assert "支持：车 +3" in told and "反对：球 −" in told
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    low = page.evaluate("""() => {
      const parse = (c) => (c.match(/[0-9.]+/g) || []).map(Number);
      const light = (c) => c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
        .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
      const card = parse(getComputedStyle(document.querySelector("li.text")).backgroundColor);
      return [...document.querySelectorAll(".letters span")].filter((e) => {
        const [r, g, b, alpha = 1] = parse(getComputedStyle(e).backgroundColor);
        const ground = [r, g, b].map((v, n) => alpha * v + (1 - alpha) * card[n]);
        const [x, y] = [light(parse(getComputedStyle(e).color)), light(ground)];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05) < 4.5;
      }).length;
    }""")
    assert low == 0, "letters too pale to be read on their ground"
    page.keyboard.press("Enter")
    assert not page.is_visible(".letters")
    context.close()
    assert seen == []
