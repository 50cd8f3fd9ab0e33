"""The prototypical verbalizer: scores by hand, a start at the zero-shot prediction, and runs that can be repeated."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from eager import inputs, predict
from paddlenlp.trainer import TrainerCallback
from runs import same, saved_weights, trainer, weights
from tiny import EXAMPLES, FAMILIES, HARD, LABELS, SOFT, tiny_model
from train_script import results

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.verbalizer import LabelTokens
from prompt_kit.training.export.exporter import export_bundle
from prompt_kit.training.models.calibration import calibrate
from prompt_kit.training.models.heads import ManualHead, MaskedLMHead
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prototype_head import PrototypeHead
from prompt_kit.training.objectives.objective import Forward
from prompt_kit.training.objectives.prototype import Prototype
from prompt_kit.training.objectives.r_drop import r_drop_loss
from prompt_kit.training.objectives.rgl import rgl_loss

TWO_MASKS = "{'text': 'text_a'}{'hard': '主题是'}{'mask'}{'mask'}"
TEXTS = [Example(example.text_a) for example in EXAMPLES]
GOLD = np.array([LABELS.label_to_id[example.label] for example in EXAMPLES])
HEAD = {"head.prototypes", "head.mix"}


def start(model):
    model.start_from_examples(model.prompt_tokenizer.encode_many(TEXTS), GOLD, 3)


def proto(prompt=HARD, **options):
    return tiny_model(prompt, head="prototype", **options)


def mixed(model, share=0.3):
    """The model with prototypes off the words and mixed in."""
    model.head.prototypes.set_value(paddle.randn(model.head.prototypes.shape))
    model.head.mix.set_value(np.float32([share]))
    return model


# -- by hand ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hand():
    """Two dimensions, which are also the vocabulary; the labels' words are token 0, token 1, and their mean."""
    lm_head = MaskedLMHead(lambda states: states, lambda: paddle.eye(2), lambda: paddle.zeros([2]))
    tokens = LabelTokens(np.array([[[0, 0]], [[1, 0]], [[0, 1]]]), np.float32([[[1, 0]], [[1, 0]], [[0.5, 0.5]]]))
    return PrototypeHead(ManualHead(lm_head, tokens, 1), 1, 3, 2)


def test_prototypes_start_at_the_words_and_count_for_nothing(hand):
    np.testing.assert_allclose(hand.prototypes.numpy(), [[1, 0], [0, 1], [0.5, 0.5]])
    assert not hand.started
    np.testing.assert_allclose(hand(paddle.to_tensor([[[3.0, 4.0]]])).numpy(), [[3.0, 4.0, 3.5]])


def test_scores(hand):
    """(3, 4) is at cosines 0.6, 0.8 and 1.4 / sqrt 2 to the prototypes, however long those are; 20 logits a cosine."""
    hand.prototypes.set_value(np.float32([[5, 0], [0, 0.1], [2, 2]]))
    state = paddle.to_tensor([[[3.0, 4.0]]])
    np.testing.assert_allclose(hand.scores(hand.embed(state)).numpy(), [[12.0, 16.0, 28 / math.sqrt(2)]], rtol=1e-6)
    hand.mix.set_value(np.float32([0.1]))  # five times that is the weight of the scores
    np.testing.assert_allclose(hand(state).numpy(), [[3 + 6, 4 + 8, 3.5 + 14 / math.sqrt(2)]], rtol=1e-6)


def test_prototypes_from_examples(hand):
    """Around their mean (3, 2) the examples are (-1, -1), (1, -1) and (0, 2); label 2 has none and keeps its words."""
    states = paddle.to_tensor([[[2.0, 1.0]], [[4.0, 1.0]], [[3.0, 4.0]]])
    hand.start_from_examples(states, np.array([0, 0, 1]))
    np.testing.assert_allclose(hand.center.numpy(), [3, 2])
    expected = [[0, -4 / math.sqrt(2)], [0, 4], [0.5, 0.5]]  # four times the means
    np.testing.assert_allclose(hand.prototypes.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(hand(states).numpy(), [[2, 1, 1.5], [4, 1, 2.5], [3, 4, 3.5]], rtol=1e-6)


def test_masks_stand_side_by_side():
    """The words of two masks: prototype c is token 0's row at the first mask and token 1's at the second."""
    lm_head = MaskedLMHead(lambda states: states, lambda: paddle.eye(2), lambda: paddle.zeros([2]))
    tokens = LabelTokens(np.array([[[0, 1]], [[1, 1]]]), np.ones([2, 1, 2], "float32"))
    head = PrototypeHead(ManualHead(lm_head, tokens, 2), 2, 2, 2)
    np.testing.assert_allclose(head.prototypes.numpy(), [[1, 0, 0, 1], [0, 1, 0, 1]])
    state = paddle.to_tensor([[[2.0, 1.0], [0.0, 2.0]]])  # length 3
    np.testing.assert_allclose(head.embed(state).numpy(), [[2 / 3, 1 / 3, 0, 2 / 3]], rtol=1e-6)


def test_the_two_losses(hand):
    """Cosines to the prototypes, and 0.96 to the other of label 1, 0 and 0.28 to that of label 0, which has no other."""
    hand.prototypes.set_value(np.float32([[5, 0], [0, 0.1], [2, 2]]))
    states, labels = paddle.to_tensor([[[3.0, 4.0]], [[4.0, 3.0]], [[4.0, -3.0]]]), paddle.to_tensor([1, 1, 0])
    scores = 20 * np.array(
        [[0.6, 0.8, 1.4 / math.sqrt(2)], [0.8, 0.6, 1.4 / math.sqrt(2)], [0.8, -0.6, 0.2 / math.sqrt(2)]]
    )
    to_prototypes = np.log(np.exp(scores).sum(axis=1)) - scores[range(3), [1, 1, 0]]
    to_others = np.log1p(np.exp(20 * np.array([0.0 - 0.96, 0.28 - 0.96])))
    expected = to_prototypes.mean() + to_others.mean()
    forward = Forward(hand(states), states, labels, labels)
    model = SimpleNamespace(head=hand, transform=lambda states: states)
    assert float(Prototype(1.0, 2).loss(model, forward)) == pytest.approx(expected, rel=1e-4)


# -- starting point ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("masks", [1, 2])
def test_it_starts_at_the_zero_shot_prediction(family, masks):
    """With soft tokens or without, before and after the prototypes have been put at the examples."""
    mask = "{'mask'}" * masks
    expected = predict(tiny_model("{'text': 'text_a'}这条新闻的主题是" + mask, family, "manual"))
    assert np.ptp(expected, axis=0).min() > 0.01, "examples that all look the same prove nothing"
    for prompt in ("{'text': 'text_a'}这条新闻的主题是", "{'text': 'text_a'}{'soft': '这条新闻的主题是'}"):
        model = proto(prompt + mask, family=family)
        np.testing.assert_allclose(predict(model), expected, atol=1e-5)
        before = model.head.prototypes.numpy().copy()
        start(model)
        assert np.abs(model.head.prototypes.numpy() - before).max() > 0.01
        np.testing.assert_allclose(predict(model), expected, atol=1e-5)


def test_prototypes_are_the_means_of_the_training_examples():
    model = proto(TWO_MASKS, dropout=0.5)
    model.train()
    start(model)
    assert model.training, "dropout is off for the prototypes alone"
    model.eval()
    with paddle.no_grad():
        states = model.transform(model(**inputs(model), return_mask_states=True)[1]).numpy().reshape([8, -1])
    states = states - states.mean(axis=0)
    states = states / np.linalg.norm(states, axis=1, keepdims=True)
    expected = [4 * states[label == GOLD].mean(axis=0) for label in range(3)]
    np.testing.assert_allclose(model.head.prototypes.numpy(), expected, atol=1e-5)


def test_training_starts_there_and_a_trained_model_keeps_its_prototypes(tmp_path):
    zero_shot = predict(tiny_model(TWO_MASKS, head="manual"))

    class Steps(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            seen.append((weights(run.model), run.predict_logits(EXAMPLES)))

    seen = []
    run = trainer(tmp_path / "first", proto(TWO_MASKS), callbacks=[Steps()], max_steps=2, do_eval=False)
    words = run.model.head.prototypes.numpy().copy()
    run.train()
    np.testing.assert_allclose(seen[0][1], zero_shot, atol=1e-5)
    assert np.abs(seen[0][0]["head.prototypes"] - words).max() > 0.01
    assert all(not np.array_equal(seen[0][0][name], seen[1][0][name]) for name in HEAD)
    trained = weights(run.model)
    again = trainer(tmp_path / "again", run.model, callbacks=[Steps()], max_steps=1, do_eval=False)
    del seen[:]
    run = again
    again.train()
    assert same(seen[0][0], trained)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_that_is_not_stopped_gets_a_gradient(family):
    """Data parallel training waits for ever for one that does not."""
    model = proto(SOFT, family=family)
    F.cross_entropy(model(**inputs(model)), paddle.to_tensor(GOLD)).backward()
    assert [name for name, p in model.named_parameters() if not p.stop_gradient and p.grad is None] == []
    assert float(model.head.mix.grad.abs()) > 0


# -- training ---------------------------------------------------------------------------------------------------------


def test_the_loss_is_all_its_parts(tmp_path):
    """Cross-entropy, the head's losses over both passes, R-Drop and RGL; evaluation takes the first alone.

    The head is told that the second half are the same examples.
    """
    model = mixed(proto(dropout=0.1))
    options = dict(alpha_rdrop=3.0, alpha_rgl=0.25, alpha_prototype=0.7)
    run = trainer(tmp_path, model, use_rdrop=True, use_rgl=True, **options)
    inputs = dict(next(iter(run.get_train_dataloader())))
    labels = inputs["labels"]
    model.train()
    paddle.seed(3)
    got = float(run.compute_loss(model, inputs))
    twice = {name: paddle.concat([value, value]) for name, value in inputs.items() if name != "labels"}
    paddle.seed(3)
    logits, states = model(**twice, return_mask_states=True)
    gold, size = paddle.concat([labels, labels]), len(labels)
    parts = [
        F.cross_entropy(logits, gold),
        0.7 * Prototype(0.7, 2).loss(model, Forward(logits, states, gold, gold, passes=2)),
        3.0 * r_drop_loss(logits[:size], logits[size:]),
        0.25 * rgl_loss(states[:size].mean(axis=1), labels),
    ]
    assert min(float(part) for part in parts) > 1e-3
    assert got == pytest.approx(float(sum(parts)), rel=1e-5)
    model.eval()
    plain = float(F.cross_entropy(model(**{n: v for n, v in inputs.items() if n != "labels"}), labels))
    assert float(run.compute_loss(model, inputs)) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("options", [dict(), dict(use_rdrop=True, use_rgl=True, ema_decay=0.9), dict(freeze_plm=True)])
def test_a_run_can_be_repeated_and_resumed_bit_for_bit(tmp_path, options):
    options = dict(save_strategy="steps", save_steps=1, load_best_model_at_end=False, max_steps=4, **options)
    runs = []
    for folder in ("one", "two"):
        run = trainer(tmp_path / folder, proto(TWO_MASKS), **options)
        run.train()
        runs.append(weights(run.model))
    assert same(*runs)
    for step in (1, 3):
        resumed = trainer(tmp_path / "one", proto(TWO_MASKS, seed=5), **options)
        resumed.train(str(tmp_path / "one" / f"checkpoint-{step}"))
        assert same(weights(resumed.model), runs[0]), step
        assert same(saved_weights(tmp_path / "one" / "checkpoint-4"), saved_weights(tmp_path / "two" / "checkpoint-4"))


def test_freeze_plm_trains_the_prototypes(tmp_path):
    model = proto()
    before = weights(model)
    trainer(tmp_path, model, max_steps=2, do_eval=False, freeze_plm=True).train()
    assert {name for name, value in weights(model).items() if not np.array_equal(value, before[name])} == {
        *HEAD,
        "head.center",
    }


def test_a_negative_weight_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--alpha_prototype must be 0 or more, got -1"):
        trainer(tmp_path, alpha_prototype=-1.0)


# -- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [SOFT, TWO_MASKS])
def test_a_folder_and_an_export_need_no_examples(tmp_path, prompt):
    model = mixed(proto(prompt))
    assert np.abs(predict(model) - predict(tiny_model(prompt, head="manual"))).max() > 0.1
    calibrate(model, ["", "汽车"])
    expected = predict(model)
    model.save_pretrained(tmp_path / "model")
    loaded = PromptModel.from_pretrained(tmp_path / "model")
    assert loaded.config.head == "prototype" and loaded.head.started
    np.testing.assert_array_equal(predict(loaded), expected)
    config = export_bundle(loaded, tmp_path / "export")
    assert config.parity["fp32"] < 1e-4 and config.parity["fp16"] < 0.2
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    logits = predictor.logits(predictor.prompt_tokenizer.encode_many(TEXTS))
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


# -- train.py ---------------------------------------------------------------------------------------------------------


def test_zero_shot_is_the_pretrained_heads(train, tmp_path):
    for head in ("manual", "prototype"):
        train(f"--do_eval --verbalizer {head} --output_dir {tmp_path / head}")
    manual, prototype = results(tmp_path / "manual"), results(tmp_path / "prototype")
    assert prototype["mode"] == "zero-shot" and prototype["eval_loss"] == pytest.approx(manual["eval_loss"], abs=1e-5)


def test_a_run_and_what_follows(train, resume, tmp_path):
    run = tmp_path / "run"
    train(
        f"--do_train --do_eval --do_predict --do_export --verbalizer prototype --num_shots 4 --max_steps 2 --eval_steps 1 "
        f"--logging_steps 1 --learning_rate 1e-3 --output_dir {run}"
    )
    resume(f"--do_eval --verbalizer prototype --resume_from_checkpoint {run} --output_dir {tmp_path / 'again'}")
    for key in ("eval_accuracy", "eval_loss"):
        assert results(tmp_path / "again")[key] == pytest.approx(results(run)[key], abs=1e-6)
    rows = [line.split("\t") for line in (run / "test_predictions.tsv").read_text("utf-8").splitlines()[1:]]
    predictor = Predictor(run / "export", device="cpu", num_threads=1)
    assert [one.label for one in predictor.predict([row[0] for row in rows])] == [row[1] for row in rows]
