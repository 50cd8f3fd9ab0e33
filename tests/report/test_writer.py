"""A report as it is written: one page that loads nothing, escaped; pictures; the wrong cases; and its mistakes."""

from __future__ import annotations

import csv
import html.parser
import importlib.util
import re

import numpy as np
import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DependencyError
from prompt_kit.inference.explanation import CharacterEffect, Explanation
from prompt_kit.report import pictures
from prompt_kit.report.curves import Curves
from prompt_kit.report.evaluation import Evaluation, Neighbour
from prompt_kit.report.page import marked
from prompt_kit.report.writer import check_report, write_report

for name in ("matplotlib", "sklearn", "jinja2"):
    pytest.importorskip(name)

CURVES = Curves(((1, 2.0), (2, 1.0)), ((1, 2.5), (2, 1.5)), ((1, 0.25), (2, 0.75)))
EVIL = "<script>alert('x')</script>&\"<img src=http://example.org/x.png onerror=alert(1)>"


def evaluation(labels=("car", "体育"), split="test", **changes) -> Evaluation:
    examples = [Example("新车上市", labels[0]), Example(EVIL, labels[1]), Example("球队", labels[1])]
    probabilities = np.array([[0.9, 0.1], [0.75, 0.25], [0.2, 0.8]])
    return Evaluation(split, tuple(labels), examples, probabilities, **changes)


class Tags(html.parser.HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    effects = (CharacterEffect("script", 1, 1.5, 0.25),)
    found = evaluation(
        num_cut=1,
        explanations={1: Explanation(EVIL, "car", 0.75, effects, effects)},
        neighbours={1: [Neighbour("<b>near</b>", "car", 0.875)]},
    )
    path = write_report(folder, found, facts={"model": "<i>tiny</i>", "seed": None}, curves=CURVES)
    assert path == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(written):
    return (written / "report.html").read_text("utf-8")


def test_the_files(written):
    assert sorted(path.name for path in written.iterdir()) == [
        "confusion_matrix.png", "reliability.png", "report.html", "test_bad_cases.tsv", "training.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written.glob("*.png"))
    with open(written / "test_bad_cases.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert rows == [["text", "predicted", "probability", "gold"], [EVIL, "car", "0.750000", "体育"]]


def test_the_page_loads_and_runs_nothing(page):
    tags = Tags(page)
    assert not {"script", "img", "link", "iframe", "b/", "i", "object", "embed"} & set(tags.tags)
    assert not [one for one in tags.attributes if one[1].startswith("on")]
    for _, name, value in tags.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith("#"), value
    assert "url(http" not in page and "@import" not in page
    assert "default-src 'none'" in page


def test_texts_are_escaped_and_whole(page):
    text = " ".join(Tags(page).text.split())
    assert "<b>near</b>" in text and "<i>tiny</i>" in text
    assert EVIL in text, "in pieces, since a part of it is marked"
    assert '<mark style="--strength: 0.60">script</mark>' in page


def test_the_numbers(page):
    text = " ".join(Tags(page).text.split())
    assert "2 of 3 texts are right: accuracy 66.7%, 95 % interval 20.8% to 93.9%." in text
    assert "predicted car 75.0% is 体育 25.0%" in text and "script +1.50" in text and "· car · 0.88" in text
    assert "体育 taken for car · 1 of 2" in text and "Texts cut to fit1 / 3" in text
    assert "1 car" in text and "Seed" not in text
    assert "20.8–93.9%" in text and "script\N{NO-BREAK SPACE}+1.50" in Tags(page).text


def test_every_id_is_there_once_and_every_link_leads_somewhere(page):
    attributes = Tags(page).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = [value for _, name, value in attributes if name == "aria-labelledby"]
    links = [value[1:] for _, name, value in attributes if name in ("href", "xlink:href")]
    links += re.findall(r"url\(#([^)]+)\)", page)
    assert named and links and set(named + links) <= set(ids)


def test_the_pictures_follow_the_page_into_dark_mode(page):
    drawn = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(drawn) == 2
    for svg in drawn:
        assert "var(--ink)" in svg and not set(re.findall(r"#[0-9a-f]{6}\b", svg)) & {"#010203", "#040506"}
        assert " width=" not in svg.split(">")[0] and "viewBox" in svg


def test_in_chinese_without_curves_on_dev(tmp_path):
    write_report(tmp_path, evaluation(split="dev"), "zh")
    page = (tmp_path / "report.html").read_text("utf-8")
    text = Tags(page).text
    assert 'lang="zh-CN"' in page and "模型评估报告" in text and "3 条文本中答对 2 条" in text
    assert "训练过程" not in text and "训练时按这些文本挑选了最好的模型" in text
    assert not (tmp_path / "training.png").exists() and (tmp_path / "dev_bad_cases.tsv").is_file()


def test_without_a_font_the_numbers_of_the_labels_are_drawn(monkeypatch, tmp_path):
    """A private character, which no font has: never a box, and the page says so."""
    drawn = []
    confusion = pictures._confusion
    monkeypatch.setattr(pictures, "_confusion", lambda *args: (drawn.append(args), confusion(*args)))
    write_report(tmp_path / "codes", evaluation(("car", "\U0010fffd")))
    write_report(tmp_path / "names", evaluation(("car", "sport")))
    axes = [args[2].axes[0] for args in drawn]
    names = [[label.get_text() for label in one.get_yticklabels()] for one in axes]
    assert names == [["1", "2"], ["1 car", "2 sport"]]
    pages = [(tmp_path / name / "report.html").read_text("utf-8") for name in ("codes", "names")]
    assert ["No font of this machine" in page for page in pages] == [True, False]


def test_marks_are_in_order_and_the_strongest_is_the_strongest():
    one, two = CharacterEffect("a", 3, 1.0, 0.1), CharacterEffect("bc", 0, 2.0, 0.2)
    found = marked("bcxay", Explanation("bcxay", "car", 0.9, (two, one), (two, one)))
    assert found == [("bc", 0.6), ("x", 0.0), ("a", 0.3), ("y", 0.0)]
    assert marked("bc", None) == [("bc", 0.0)]


def test_many_labels(tmp_path):
    labels = [f"label {number}" for number in range(70)]
    examples = [Example("x", label) for label in labels]
    write_report(tmp_path, Evaluation("test", tuple(labels), examples, np.eye(70)))
    text = " ".join(Tags((tmp_path / "report.html").read_text("utf-8")).text.split())
    assert "70 labels are too many" in text and "None: every text has its right label." in text


def test_mistakes_are_told_before_anything_is_written(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="--language fr: expected en or zh"):
        check_report(tmp_path, "fr")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "report"):
        with pytest.raises(ConfigError, match="is a file"):
            check_report(folder)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jinja2" else find(name))
    with pytest.raises(DependencyError, match=r'^jinja2 is not installed; .* pip install "\.\[report\]"$'):
        write_report(tmp_path / "out", evaluation())
    assert not (tmp_path / "out").exists()
