"""Distillation: states come nearer to the teacher, a resumed run is the same run, and nothing of it is left in the model."""

from __future__ import annotations

import json
import math

import numpy as np
import paddle
import pytest
from kill import killed_at
from runs import names, same, saved_weights
from safetensors.numpy import load_file
from taught import taught
from tiny import EXAMPLES, FAMILIES, tiny_backbone, tiny_tokenizer

from prompt_kit.errors import CheckpointError, ConfigError, DataError
from prompt_kit.training.models.heads import masked_lm_head
from prompt_kit.training.pretraining import session
from prompt_kit.training.pretraining.corpus import read_corpus
from prompt_kit.training.pretraining.distillation import DistilledLanguageModel, cosine_loss, relational_loss
from prompt_kit.training.pretraining.masking import EncodedLines
from prompt_kit.training.pretraining.taught_batches import FORMS

LINES = [a.text_a + b.text_a for a in EXAMPLES for b in EXAMPLES]


def told_by_characters(lines, width=6):
    """A teacher: the sum of a fixed random vector for each character."""
    table = np.random.default_rng(0).normal(size=(0x10000, width))
    return np.stack([table[[ord(c) for c in line]].sum(0) for line in lines]).astype("float32")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "corpus.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    np.save(tmp_path / "vectors.npy", told_by_characters(LINES))
    return tmp_path


@pytest.fixture
def pretrain(files, tiny_folder):
    """tools/pretrain.py with a teacher, in this process."""
    from scripts import load_script

    script = load_script("tools/pretrain")

    def run(*flags, output="out"):
        start = ["--train_files", str(files / "corpus.txt"), "--teacher_vectors", str(files / "vectors.npy")]
        sizes = ["--max_seq_length", "40", "--batch_tokens", "256", "--device", "cpu", "--learning_rate", "3e-3"]
        model = ["--model_name_or_path", str(tiny_folder), "--output_dir", str(files / output)]
        script.main([*start, *sizes, *model, *flags])
        return files / output

    return run


# -- losses -----------------------------------------------------------------------------------------------------------


def test_the_cosine_loss_by_hand():
    told = paddle.to_tensor([[2.0, 0.0], [1.0, 1.0]])
    teacher = paddle.to_tensor([[0.0, 3.0], [5.0, 5.0]])
    assert float(cosine_loss(told, teacher)) == pytest.approx(0.5)  # 1 - 0 and 1 - 1


def test_the_relational_loss_by_hand():
    # The student's rows, centred, point to 0, 90 and 225 degrees; the teacher's to 0, 0 and 90.
    student = paddle.to_tensor([[3.0, 1.0], [1.0, 3.0], [-1.0, -1.0]])  # the mean is (1, 1)
    teacher = paddle.to_tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    half = -math.sqrt(0.5)  # cos 135

    def divergence(wanted, found):
        p, q = (np.exp(np.array(x) / 0.1) / np.exp(np.array(x) / 0.1).sum() for x in (wanted, found))
        return float((p * np.log(p / q)).sum())

    expected = np.mean(
        [
            divergence([1, 0], [0, half]),  # line 0 to lines 1 and 2
            divergence([1, 0], [0, half]),  # line 1 to lines 0 and 2
            divergence([0, 0], [half, half]),  # line 2 to lines 0 and 1
        ]
    )
    assert expected > 1e-4
    assert float(relational_loss(student, teacher)) == pytest.approx(expected, rel=1e-3)
    assert float(relational_loss(teacher, teacher - teacher.mean(0))) == pytest.approx(0, abs=1e-6)
    assert float(relational_loss(student[:2], teacher[:2])) == 0


def test_states_that_hardly_differ_have_no_boundless_gradient():
    # Lines around (100, 0): divided by half of 100, their cosines are next to 0, and so all three others are as likely.
    states = paddle.to_tensor([[100.0, 0.001], [100.0, -0.001], [100.0, 0.0], [100.0, 0.0]])
    states.stop_gradient = False
    teacher = paddle.to_tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    loss = relational_loss(states, teacher)
    p = np.exp([10.0, 0, 0]) / np.exp([10.0, 0, 0]).sum()
    assert float(loss) == pytest.approx(float((p * np.log(p * 3)).sum()), rel=1e-4)
    loss.backward()
    assert float(states.grad.abs().max()) < 0.01


# -- model ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_are_the_language_models(tmp_path, family):
    dataset, collator = taught(tmp_path)
    items = [dataset[0, 0], dataset[0, 1]]
    model = DistilledLanguageModel(tiny_backbone(family), tiny_tokenizer(), 2)
    model.eval()
    reference = tiny_backbone(family)
    head, encoder = masked_lm_head(reference), getattr(reference, reference.base_model_prefix)
    for form in (FORMS[0], FORMS[4], FORMS[-1]):
        batch = {name: paddle.to_tensor(a) for name, a in collator.in_form(items, form, clean=False).items()}
        read = batch["read"].numpy()
        with paddle.no_grad():
            logits, states, told, by_mean = model(batch["input_ids"], batch["columns"], batch["rows"], batch["read"])
            plain = model(batch["input_ids"], batch["columns"], batch["rows"])
            sequence = encoder(batch["input_ids"])
            sequence = sequence[0] if isinstance(sequence, (tuple, list)) else sequence
            for line in range(2):
                expected = sequence[line].numpy()[read[line]]
                if form.front or form.back:
                    expected = head.transform(paddle.to_tensor(expected)).numpy()
                np.testing.assert_allclose(states[line].numpy(), expected.reshape(-1), atol=2e-5)
                length = int((batch["input_ids"][line] != 0).sum())
                mean = sequence[line, :length].mean(0, keepdim=True)
                np.testing.assert_allclose(by_mean[line], model.projections["mean"](mean)[0], atol=2e-5)
        np.testing.assert_allclose(logits, plain, atol=2e-5)
        assert told.shape == by_mean.shape == [2, 2]


# -- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_cosine_rises_and_nothing_of_it_is_left(pretrain, tiny_folder):
    folder = pretrain("--num_train_epochs", "100", "--held_out", "0.2")
    recipe = json.loads((folder / "pretraining.json").read_text("utf-8"))
    before, after = recipe["before"]["eval_cosine"], recipe["after"]["eval_cosine"]
    assert abs(before) < 0.5 and after > before + 0.3
    assert recipe["teacher"]["weights"] == {"teacher": 6.0, "mlm": 0.5, "relation": 1.0}
    assert names(folder) == [
        "README.md", "config.json", "model.safetensors", "pretraining.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    given = {key: value.shape for key, value in saved_weights(tiny_folder).items()}  # tied weights twice
    assert {key: value.shape for key, value in saved_weights(folder).items()}.items() <= given.items()
    assert f"{before:.3f} -> {after:.3f}" in (folder / "README.md").read_text("utf-8")


def test_a_killed_run_goes_on(pretrain, files):
    flags = ("--eval_steps", "2", "--max_steps", "9")
    whole = pretrain(*flags, output="whole")
    with killed_at(3):
        pretrain(*flags)
    resume = ("--resume_from_checkpoint", str(files / "out"), *flags)
    held = load_file(str(files / "out" / "checkpoint-2" / "projections.safetensors"))
    assert {key: value.shape for key, value in held.items() if key.startswith("two")} == {
        "two.weight": (64, 6), "two.bias": (6,),
    }  # fmt: skip
    vectors = np.load(files / "vectors.npy")
    np.save(files / "vectors.npy", vectors + 1)
    with pytest.raises(CheckpointError, match="that is another run: teacher is"):
        pretrain(*resume)
    np.save(files / "vectors.npy", vectors)
    out = pretrain(*resume)
    assert same(saved_weights(out), saved_weights(whole))
    assert (out / "pretraining.json").read_text("utf-8") == (whole / "pretraining.json").read_text("utf-8")


def test_a_checkpoint_without_its_projections(pretrain, files, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "write_card", kill)
    with pytest.raises(KeyboardInterrupt):
        pretrain("--eval_steps", "2", "--max_steps", "2")
    monkeypatch.undo()
    (files / "out" / "checkpoint-2" / "projections.safetensors").unlink()
    with pytest.raises(CheckpointError, match="projections.safetensors is missing"):
        pretrain("--eval_steps", "2", "--max_steps", "2", "--resume_from_checkpoint", str(files / "out"))


def test_rows_follow_the_lines_that_are_kept(tmp_path):
    lines = ["手机公司", "", "汽车发布", "手机公司", "今天体育比赛冠军", "球队", "大涨", "手机上市"]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("今天体育比赛冠军\n", encoding="utf-8")
    texts = [line for line in lines if line]
    corpus = read_corpus([tmp_path / "a.txt"], [tmp_path / "test.txt"], held_out=0.3)
    assert (corpus.texts, corpus.repeated, corpus.excluded) == (7, 1, 1) and len(corpus.held_out) == 2
    assert [texts[row] for row in corpus.rows] == corpus.lines
    assert [texts[row] for row in corpus.held_out_rows] == corpus.held_out
    assert sorted([*corpus.rows, *corpus.held_out_rows]) == [0, 1, 4, 5, 6]


def test_a_line_is_one_piece_and_pieces_know_their_line():
    lines = ["手机公司上市", "zzz", "体育比赛"]  # nothing of the second is in the vocabulary
    first = EncodedLines(lines, tiny_tokenizer(), 4, first_only=True)
    assert (first.lengths, first.origins) == ([4, 4], [0, 2])
    pieces = EncodedLines(lines, tiny_tokenizer(), 4)
    assert (pieces.lengths, pieces.origins) == ([4, 2, 4], [0, 0, 2])


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (["--teacher_weight", "-1"], ConfigError, "--teacher_weight must be 0 or more, got -1.0"),
        (["--mlm_weight", "nan"], ConfigError, "--mlm_weight must be 0 or more, got nan"),
        (["--max_seq_length", "8"], ConfigError, "--max_seq_length 8 leaves no room for text"),
        (["--teacher_vectors", "absent.npy"], DataError, "absent.npy: no such file"),
    ],
)
def test_mistakes_cost_nothing(pretrain, files, flags, error, message):
    with pytest.raises(error, match=message) as caught:
        pretrain(*flags)
    assert "\n" not in str(caught.value) and not (files / "out").exists()


def test_rows_and_lines_that_disagree(pretrain, files):
    np.save(files / "vectors.npy", told_by_characters(LINES[:-1]))
    with pytest.raises(DataError, match=r"vectors.npy holds 63 rows, but .*corpus.txt 64 lines of text"):
        pretrain()


def test_one_file_and_a_teacher(pretrain, files):
    with pytest.raises(ConfigError, match="--train_files names 2; put their lines into one file"):
        pretrain("--train_files", str(files / "corpus.txt"), str(files / "corpus.txt"))
    from prompt_kit.training.pretraining.arguments import PretrainingArguments

    with pytest.raises(ConfigError, match="--relation_weight is for distillation; add --teacher_vectors"):
        PretrainingArguments(train_files=["a.txt"], relation_weight=1.0)
