"""Scores of source prompts for a target, and which of them is picked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from scripts import load_script
from tiny import EXAMPLES, HARD, LABELS, tiny_model, write_tiny_folder

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.models.cosine_head import center_of, leave_one_out, unit
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prompt_transfer import init_prompt
from prompt_kit.training.models.transfer_map import SourceScore, leave_one_out_loss, mean_token, pick, score

TOOL = Path(__file__).resolve().parents[3] / "tools" / "transfer_map.py"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two prompts of one language model, whose tokens were moved to different places."""
    root = tmp_path_factory.mktemp("sources")
    base = write_tiny_folder(root / "base")
    for name, seed in (("near", 1), ("far", 2)):
        model = PromptModel.build(
            LABELS,
            "这条新闻的主题是",
            str(base),
            "mlp",
            16,
            head="soft" if name == "far" else "cosine",
            max_seq_length=32,
        )
        paddle.seed(seed)
        for parameter in model.soft_prompt.parameters():
            parameter.set_value(parameter + paddle.randn(parameter.shape) * (0.1 if name == "near" else 1.0))
        model.save_pretrained(root / name)
    return root


def test_the_score_is_leave_one_out_with_the_sources_prompt(sources):
    found, fresh = score(sources / "far", LABELS, EXAMPLES, length=32)
    model = PromptModel.build(
        LABELS,
        str(PromptModel.from_pretrained(sources / "far").template),
        str(sources / "base"),
        "none",
        max_seq_length=32,
    )
    ids = np.array([LABELS.label_to_id[str(example.label)] for example in EXAMPLES])
    for expected in (fresh, found):
        if expected is found:
            init_prompt(model, sources / "far")
        states = model.mask_states(model.prompt_tokenizer.encode_many(EXAMPLES))
        words, neutral = model._word_directions()
        cosines = leave_one_out(words, unit(states - center_of(states, states[:0], neutral)), ids)
        assert expected.accuracy == pytest.approx((cosines.argmax(axis=1) == ids).mean())
    assert (found.source, fresh.source) == (str(sources / "far"), "")
    assert found.loss != fresh.loss and found.cosine is None


def test_loss_by_hand():
    accuracy, loss = leave_one_out_loss(np.array([[1.0, 0.0], [0.0, 0.2], [0.5, 0.0]]), np.array([0, 1, 1]))
    assert accuracy == pytest.approx(2 / 3)
    scale = 2.0  # the gentlest of the list is best, since one is wrong
    expected = [np.log1p(np.exp(-scale)), np.log1p(np.exp(-0.2 * scale)), np.log1p(np.exp(0.5 * scale))]
    assert loss == pytest.approx(np.mean(expected))


def test_cosine_of_mean_tokens(sources):
    near, fresh = score(sources / "near", LABELS, EXAMPLES, target=sources / "near", length=32)
    far, _ = score(sources / "far", LABELS, EXAMPLES, target=sources / "near", length=32)
    assert near.cosine == pytest.approx(1, abs=1e-5)
    model = PromptModel.from_pretrained(sources / "far")
    first, second = model.soft_prompt().numpy().mean(axis=0), mean_token(sources / "near")
    assert far.cosine == pytest.approx(first @ second / np.linalg.norm(first) / np.linalg.norm(second), abs=1e-5)
    assert far.cosine < near.cosine and fresh.cosine < 1


def test_pick_goes_by_loss_then_by_accuracy():
    worse, better, sure = SourceScore("a", 0.9, 2.0), SourceScore("b", 0.5, 1.0), SourceScore("c", 0.6, 1.0)
    assert pick([worse, better, sure]) is sure
    with pytest.raises(ConfigError, match="no source to pick from"):
        pick([])


def test_folders_that_have_nothing_to_start_from(sources, tmp_path):
    with pytest.raises(CheckpointError):
        score(tmp_path, LABELS, EXAMPLES)
    tiny_model(HARD).save_pretrained(tmp_path / "hard")
    with pytest.raises(ConfigError, match="has no soft tokens to start from"):
        score(tmp_path / "hard", LABELS, EXAMPLES)
    with pytest.raises(ConfigError, match="has no soft tokens to compare"):
        score(sources / "near", LABELS, EXAMPLES, target=tmp_path / "hard", length=32)


def test_the_tool_prints_a_table_and_one_pick(sources, tiny_data, capsys):
    tool = load_script("tools/transfer_map")
    names = [str(sources / "near"), str(sources / "far")]
    tool.main(["--sources", *names, "--data_dir", str(tiny_data), "--num_shots", "2", "--target", names[0]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "leave-one-out on 6 examples, no training"
    assert {line.split()[0] for line in lines[2:4]} == set(names)
    losses = [float(line.split()[2]) for line in lines[2:4]]
    assert losses == sorted(losses)
    assert lines[4].startswith("pick: ") and len(lines) == 5
