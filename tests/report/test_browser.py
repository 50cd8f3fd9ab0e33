"""The page in a real browser, Chromium without a window: nothing wider than a phone, and what scrolls takes the keyboard.

Each case is a small page with the report in a frame of that width, whose program writes down what it measured.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.report.curves import Curves
from prompt_kit.report.evaluation import Evaluation
from prompt_kit.report.writer import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
for name in ("matplotlib", "sklearn", "jinja2"):
    pytest.importorskip(name)

MEASURE = """
<!doctype html><meta charset="utf-8"><iframe id="f" style="border:0;width:%dpx;height:800px" srcdoc="%s"></iframe>
<pre id="out"></pre><script>
f.onload = () => {
  const d = f.contentDocument, w = f.contentWindow, wide = [];
  for (const e of d.body.querySelectorAll("*")) {
    const inside = e.closest(".scroll, svg, .skip");
    if (!inside && e.getBoundingClientRect().right > d.documentElement.clientWidth + 0.5) wide.push(e.tagName);
  }
  const stops = [...d.querySelectorAll("a, summary, [tabindex]")].filter(e => { e.focus(); return d.activeElement === e; });
  const regions = [...d.querySelectorAll(".scroll")].filter(e => e.offsetParent && e.scrollWidth > e.clientWidth);
  const picture = d.querySelector(".picture svg").getBoundingClientRect();
  d.querySelectorAll("details").forEach(e => e.open = true);
  out.textContent = JSON.stringify({
    width: w.innerWidth, spare: d.documentElement.clientWidth - d.documentElement.scrollWidth, wide, stops: stops.length,
    all: d.querySelectorAll("a, summary, [tabindex]").length, hidden: d.querySelectorAll("details [tabindex]").length,
    scrolls: regions.length, focusable: regions.every(e => e.tabIndex === 0 && e.getAttribute("aria-labelledby")),
    picture: [picture.width, picture.height], h1: d.querySelectorAll("h1").length,
    opened: d.querySelector("details table").getBoundingClientRect().height,
  });
};
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Fifteen labels, long names and a text without a space: what makes a page wide."""
    folder = tmp_path_factory.mktemp("report")
    labels = tuple(f"一个很长的类别名称_{number}" for number in range(15))
    examples = [
        Example("x" * 300 if number == 3 else "今晚国足迎战日本队", labels[number % 15]) for number in range(45)
    ]
    probabilities = np.random.default_rng(0).dirichlet(np.ones(15), 45)
    write_report(folder, Evaluation("test", labels, examples, probabilities), "zh", curves=Curves(((1, 2.0), (2, 1.0))))
    return (folder / "report.html").read_text("utf-8")


def measure(page: str, width: int, folder) -> dict:
    wrapper = folder / "wrapper.html"
    # the policy of the page forbids the frame's measuring program nothing: it runs outside
    wrapper.write_text(MEASURE % (width, html.escape(page)), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         "--window-size=1400,900", "--virtual-time-budget=5000", "--dump-dom", wrapper.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


@pytest.mark.parametrize("width", [1280, 390])
def test_fits_and_takes_the_keyboard(page, width, tmp_path):
    found = measure(page, width, tmp_path)
    assert (found["width"], found["spare"], found["wide"]) == (width, 0, [])
    assert found["stops"] == found["all"] - found["hidden"], "every link, summary and scrolling table can be reached"
    assert found["focusable"] and found["h1"] == 1 and found["opened"] > 50
    assert (found["scrolls"] > 0) == (width == 390)
    assert 300 < found["picture"][0] <= min(width, 520) and found["picture"][1] > 200
