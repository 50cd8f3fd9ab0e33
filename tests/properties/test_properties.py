"""Properties of what reads strangers' bytes: the promises of tools/fuzz.py, on bytes of any kind and on nearly right ones.

The profile is quick: 60 examples each, always the same ones. HYPOTHESIS_PROFILE=thorough takes 2,000 at random.
"""

from __future__ import annotations

import json
import os

import pytest
from scripts import load_script
from toy_bundle import TEMPLATE, VOCABULARY, toy_config

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("fastapi")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from prompt_kit.data.dataset import Example, read_examples  # noqa: E402
from prompt_kit.errors import DataError  # noqa: E402
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer  # noqa: E402
from prompt_kit.prompt.template import Template  # noqa: E402
from prompt_kit.prompt.template_parser import parse_parts, quote  # noqa: E402
from prompt_kit.prompt.tokenization import Tokenizer  # noqa: E402
from prompt_kit.prompt.verbalizer import Verbalizer  # noqa: E402

fuzz = load_script("tools/fuzz")
_slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, suppress_health_check=_slow)
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=_slow)
profile = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Nearly right input: pieces of the format, and any text between them.
PIECES = {
    "template": ["{'mask'}", "{'text': 'text_a'}", "{'soft': '是'}", "{'soft'", "'length': 3", "{", "}", "'", '"', ":", ",",
                 "\\u4e00", "\\", "｛", "{'soft_id': 1}", "{'sep'}", "'encoder': 'lstm'", "{'hard': '新闻'}", "None", "999999"],
    "lines": ["\n", "\r\n", "\r", "\t", "\ufeff", "新闻", "\u2028", "\x00", " "],
    "labels": ["==", "'=='", "=", ",", "，", "、", "\n", "\r\n", "news", "汽车", "\t", "＝", "“", " "],
    "objects": ["[", "]", "{", "}", '"text"', ":", ",", '"新闻"', "\n", "1", "null", "\\", '{"a": 1}'],
    "request": ['{"texts": ["', '"]}', '"top_k": ', "2", ",", "}", '{"data": {"text": "', '"}}', "\\ud83d", "1e999", "null"],
    "bundle": ['{"kind": "bundle"', "}", ",", '"format_version": 1', '"models": {"fp32": "model.onnx"}', '"prompt": {', "[]"],
}  # fmt: skip


def nearly(name: str) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(PIECES[name]) | st.text(max_size=6), max_size=12).map(
        lambda parts: "".join(parts).encode("utf-8", "replace")
    )


@pytest.mark.parametrize("name", list(fuzz.TARGETS))
def test_any_bytes_get_an_answer_or_one_line(name):
    @profile
    @given(st.binary(max_size=200) | nearly(name))
    def holds(data):
        fuzz.TARGETS[name](data)

    holds()


def test_the_promises_can_be_broken(monkeypatch):
    """Else the tests above could not fail."""
    monkeypatch.setattr(Template, "__str__", lambda self: TEMPLATE)
    with pytest.raises(fuzz.Broken, match="another template"):
        fuzz.template(b"{'mask'}{'text': 'text_a'}")
    monkeypatch.setattr(Verbalizer, "from_dict", classmethod(lambda cls, found: None))
    with pytest.raises(fuzz.Broken, match="JSON gives other labels"):
        fuzz.labels("a==一\nb==二".encode())
    with pytest.raises(fuzz.Broken, match="no plain line"):
        fuzz.check_line(ValueError("two\nlines"))


@profile
@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_a_quoted_text_is_read_back(text):
    (block,) = parse_parts("{" + f"'hard': {quote(text)}" + "}")
    assert block.entries[0].value == text


WORDS = st.text(alphabet=[piece for piece in VOCABULARY if len(piece) == 1], min_size=1, max_size=4)
SEGMENTS = st.one_of(
    WORDS.map(lambda words: f"{{'hard': {quote(words)}}}"),
    WORDS.map(lambda words: f"{{'soft': {quote(words)}}}"),
    st.integers(1, 3).map(lambda length: f"{{'soft', 'length': {length}}}"),
    st.sampled_from(["{'mask'}", "{'sep'}", "{'mask', 'length': 2}", "{'text': 'text_b'}"]),
)


@profile
@given(st.lists(SEGMENTS, max_size=4), st.text(max_size=40), st.integers(20, 40), st.sampled_from(["tail", "head"]))
def test_a_wrapped_text_fits_and_keeps_its_template(segments, text, length, mode):
    template = Template.parse("".join([*segments, "{'text': 'text_a'}", "{'mask'}"]))
    tokenizer = Tokenizer.from_vocab(VOCABULARY)
    prompt_tokenizer = PromptTokenizer(template, tokenizer, length + 20, truncate_mode=mode)
    example = Example(text, text_b="球队")
    features = prompt_tokenizer.encode(example)
    assert len(features.input_ids) == len(features.token_type_ids) <= length + 20
    assert [features.input_ids[place] for place in features.mask_columns] == [tokenizer.mask_id] * template.num_masks
    assert features.input_ids.count(tokenizer.mask_id) == template.num_masks, "a text's own words are no masks"
    (reads,) = prompt_tokenizer.what_is_read([example])
    encoded = {"text_a": tokenizer.encode(text), "text_b": tokenizer.encode("球队")}
    for read, columns in zip(reads, prompt_tokenizer.columns_of(reads)):
        kept = [features.input_ids[place] for place in columns]
        assert kept == encoded[read.field][read.start : read.stop]


@profile
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=20), st.sampled_from(["汽车", "news car"])), min_size=1, max_size=6)
)
def test_a_written_data_file_is_read_back(tmp_path, pairs):
    path = tmp_path / "train.txt"
    path.write_bytes("".join(f"{text}\t{label}\n" for text, label in pairs).encode("utf-8", "surrogatepass"))
    try:
        found = read_examples(path, ["汽车", "news car"])
    except DataError as error:
        fuzz.check_line(error, str(path))
        return
    assert [(one.text_a, one.label) for one in found] == [(text.strip(), label) for text, label in pairs]


@profile
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=6), st.data())  # fmt: skip
def test_a_bundle_with_one_entry_changed(value, data):
    """Whatever one entry, or an entry of an entry, is changed to."""
    content = toy_config().to_dict()
    key = data.draw(st.sampled_from(sorted(content)))
    if isinstance(content[key], dict) and content[key] and data.draw(st.booleans()):
        content[key] = {**content[key], data.draw(st.sampled_from(sorted(content[key]))): value}
    else:
        content[key] = value
    fuzz.bundle(json.dumps(content).encode())
