"""Whether a new model reads two texts: the flag, the template, or the prompt that is taken over."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import SOFT, tiny_model

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.errors import ConfigError, VerbalizerError
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments
from prompt_kit.training.loop.new_model import reads_pairs, start_model

PAIR = "{'text': 'text_a'}{'sep'}{'text': 'text_b'}{'soft': '是'}{'mask'}"


@pytest.mark.parametrize(
    ("prompt", "flag", "pairs"),
    [(None, False, False), (None, True, True), (SOFT, False, False), (PAIR, False, True), (PAIR, True, True)],
)
def test_the_flag_or_the_template_says_so(prompt, flag, pairs):
    assert reads_pairs(ModelArguments(prompt=prompt), DataArguments(text_pairs=flag)) is pairs


def test_a_prompt_that_is_taken_over_says_so(tmp_path):
    tiny_model(PAIR, max_seq_length=40).save_pretrained(tmp_path)
    model_args = ModelArguments(init_prompt_from=str(tmp_path))
    assert reads_pairs(model_args, DataArguments())


def test_contradictions():
    with pytest.raises(ConfigError, match="--text_pairs contradicts --prompt .*, which reads one text"):
        reads_pairs(ModelArguments(prompt=SOFT), DataArguments(text_pairs=True))
    with pytest.raises(ConfigError, match="--augment 2 makes variants of one text, not of two"):
        reads_pairs(ModelArguments(prompt=PAIR), DataArguments(augment=2))


def test_words_that_are_the_same_tokens_are_no_start_without_examples(tiny_folder, caplog):
    model_args = ModelArguments(model_name_or_path=str(tiny_folder), max_seq_length=40)
    verbalizer = Verbalizer.from_lines(["a==车", "b==\u200b"])
    with pytest.raises(VerbalizerError, match="of 'b': no character is in the model's vocabulary; choose other words"):
        start_model(model_args, verbalizer, Dataset(Path()), False, reads_texts=False)
    examples = [Example("新车", "a"), Example("股票", "b")]
    start_model(model_args, verbalizer, Dataset(Path(), train=examples), True, reads_texts=False)
    assert "no character is in the model's vocabulary" in caplog.text
