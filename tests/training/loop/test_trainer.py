"""PromptTrainer: the steps are the right ones, and the best model is the one kept."""

from __future__ import annotations

import math
import shutil

import numpy as np
import paddle
import pytest
from paddlenlp.trainer import TrainerCallback
from runs import arguments, names, same, saved_weights, trainer, weights
from tiny import EXAMPLES, HARD, LABELS, tiny_model

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.loop import callbacks
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.objectives.rgl import rgl_loss

BACKBONE = "backbone.cls.predictions.transform.weight"
HEAD = "head.weight"
BIASES = ("backbone.cls.predictions.transform.bias", "head.bias")


class Spy(TrainerCallback):
    """The gradients of each optimizer step, and the weights after it."""

    def __init__(self):
        self.gradients, self.weights, self.left_over = [], [], []

    def on_optimizer_begin(self, args, state, control, model=None, **kwargs):
        self.gradients.append({n: p.grad.numpy().copy() for n, p in model.named_parameters() if p.grad is not None})

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.weights.append(weights(model))

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        self.left_over.append(any(p.grad is not None and float(p.grad.abs().max()) for p in model.parameters()))


# -- optimization ---------------------------------------------------------------------------------------------------


def adamw(weight, gradients, rates, beta1, beta2, epsilon, decay):
    """AdamW by the book, in float64."""
    weight, first, second = weight.astype("float64"), 0.0, 0.0
    for step, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient.astype("float64") ** 2
        weight = weight * (1 - rate * decay)
        weight = weight - rate * (first / (1 - beta1**step)) / (np.sqrt(second / (1 - beta2**step)) + epsilon)
    return weight


@pytest.mark.parametrize(("decay", "ppt_decay"), [(0.0, 0.1), (0.2, 0.0)])
def test_each_group_has_its_own_rate_betas_epsilon_and_decay(tmp_path, decay, ppt_decay):
    spy, model = Spy(), tiny_model()
    before = weights(model)
    trainer(
        tmp_path, model, callbacks=[spy], do_eval=False, max_steps=3, max_grad_norm=0.0,
        learning_rate=1e-3, adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-6, weight_decay=decay,
        ppt_learning_rate=5e-3, ppt_adam_beta1=0.5, ppt_adam_beta2=0.9, ppt_adam_epsilon=1e-3, ppt_weight_decay=ppt_decay,
    ).train()  # fmt: skip
    schedule = [1.0, 2 / 3, 1 / 3]  # linear decay
    for name, rate, options in (
        (BACKBONE, 1e-3, (0.8, 0.95, 1e-6, decay)),
        (HEAD, 5e-3, (0.5, 0.9, 1e-3, ppt_decay)),
        ("soft_prompt.vectors", 5e-3, (0.5, 0.9, 1e-3, ppt_decay)),
        (BIASES[0], 1e-3, (0.8, 0.95, 1e-6, 0.0)),  # biases and norms do not decay
        (BIASES[1], 5e-3, (0.5, 0.9, 1e-3, 0.0)),
    ):
        expected = adamw(before[name], [g[name] for g in spy.gradients], [rate * s for s in schedule], *options)
        np.testing.assert_allclose(spy.weights[-1][name], expected, atol=2e-6, rtol=0, err_msg=name)
        assert np.abs(expected - before[name]).max() > 1e-3, name


def test_the_first_step_moves_each_group_by_its_rate(tmp_path):
    spy, model = Spy(), tiny_model()
    before = weights(model)
    trainer(
        tmp_path, model, callbacks=[spy], do_eval=False, max_steps=1, learning_rate=1e-4, ppt_learning_rate=1e-2
    ).train()
    for name, rate in ((BACKBONE, 1e-4), (HEAD, 1e-2)):
        large = np.abs(spy.gradients[0][name]) > 1e-3
        moved = (spy.weights[0][name] - before[name])[large]
        np.testing.assert_allclose(moved, -rate * np.sign(spy.gradients[0][name][large]), rtol=0.02)
        assert large.sum() > 20


def test_the_schedule_warms_up_and_decays(tmp_path):
    run = trainer(tmp_path, do_eval=False, max_steps=6, warmup_steps=2, logging_strategy="steps", logging_steps=1)
    run.train()
    rates = [entry["learning_rate"] for entry in run.state.log_history if "learning_rate" in entry]
    assert rates == pytest.approx([5e-4, 1e-3, 7.5e-4, 5e-4, 2.5e-4, 0.0])


def test_gradient_accumulation_equals_the_large_batch(tmp_path):
    spies, losses = [], []
    for folder, options in (
        ("large", dict(per_device_train_batch_size=8)),
        ("small", dict(per_device_train_batch_size=4, gradient_accumulation_steps=2)),
    ):
        spy = Spy()
        run = trainer(
            tmp_path / folder, tiny_model(dropout=0.0), EXAMPLES * 2, callbacks=[spy], do_eval=False, max_steps=3,
            logging_strategy="steps", logging_steps=1, **options,
        )  # fmt: skip
        run.train()
        spies.append(spy)
        losses.append([entry["loss"] for entry in run.state.log_history if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], abs=1e-6) and len(losses[0]) == 3
    large, small = spies
    assert large.gradients[0].keys() == small.gradients[0].keys()
    for name in large.gradients[0]:
        np.testing.assert_allclose(large.gradients[0][name], small.gradients[0][name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("count", [5, 7, 8])
def test_every_epoch_ends_with_a_whole_step(tmp_path, count):
    spy = Spy()
    run = trainer(
        tmp_path, train=(EXAMPLES * 2)[:count], callbacks=[spy], do_eval=False, num_train_epochs=3,
        per_device_train_batch_size=2, gradient_accumulation_steps=2,
    )  # fmt: skip
    run.train()
    assert spy.left_over == [False] * 3
    assert len(spy.gradients) == run.state.global_step == 3 * math.ceil(math.ceil(count / 2) / 2)


def test_gradients_are_clipped(tmp_path):
    """By the norm of the group. With an epsilon of 1 Adam's first step is g / (|g| + 1), which shows the size of g."""
    spy, model = Spy(), tiny_model()
    before = weights(model)
    trainer(
        tmp_path, model, callbacks=[spy], do_eval=False, max_steps=1, max_grad_norm=0.1, learning_rate=1.0,
        ppt_learning_rate=1.0, adam_epsilon=1.0, ppt_adam_epsilon=1.0,
    ).train()  # fmt: skip
    gradients = spy.gradients[0]
    for name in (BACKBONE, HEAD):
        group = [g for n, g in gradients.items() if n.startswith("backbone.") is name.startswith("backbone.")]
        norm = math.sqrt(sum(float((g.astype("float64") ** 2).sum()) for g in group))
        assert norm > 0.2
        clipped = gradients[name] * (0.1 / norm)
        moved = spy.weights[0][name] - before[name]
        np.testing.assert_allclose(moved, -clipped / (np.abs(clipped) + 1), rtol=1e-3, atol=1e-6)


# -- losses ---------------------------------------------------------------------------------------------------------


def loss_of(tmp_path, model, seed=11, training=True, **options) -> float:
    run = trainer(tmp_path, model, **options)
    inputs = next(iter(run.get_train_dataloader()))
    (model.train if training else model.eval)()
    paddle.seed(seed)
    return float(run.compute_loss(model, dict(inputs)))


def test_the_loss_is_cross_entropy_and_the_weighted_regularisers(tmp_path):
    model, options = tiny_model(dropout=0.1), dict(alpha_rdrop=3.0, alpha_rgl=0.25)
    run = trainer(tmp_path, model)
    inputs = dict(next(iter(run.get_train_dataloader())))
    labels = inputs.pop("labels")
    twice = {name: paddle.concat([value, value]) for name, value in inputs.items()}
    model.train()
    paddle.seed(11)
    logits, states = (value.numpy() for value in model(**twice, return_mask_states=True))
    gold = np.concatenate([labels.numpy()] * 2)
    shifted = logits.astype("float64") - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    cross_entropy = -log_p[np.arange(8), gold].mean()
    p, q = log_p[:4], log_p[4:]
    drop = 0.5 * ((np.exp(p) - np.exp(q)) * (p - q)).sum(-1).mean()
    rgl = float(rgl_loss(paddle.to_tensor(states[:4].mean(axis=1)), labels))
    assert drop > 1e-4 and rgl > 1e-4

    expected = {
        (True, False): cross_entropy + 3.0 * drop,
        (True, True): cross_entropy + 3.0 * drop + 0.25 * rgl,
    }
    for (use_rdrop, use_rgl), total in expected.items():
        got = loss_of(tmp_path, model, use_rdrop=use_rdrop, use_rgl=use_rgl, **options)
        assert got == pytest.approx(total, rel=1e-5), (use_rdrop, use_rgl)

    paddle.seed(11)
    logits, states = model(**inputs, return_mask_states=True)
    plain = float(paddle.nn.functional.cross_entropy(logits, labels))
    with_rgl = plain + 0.25 * float(rgl_loss(states.mean(axis=1), labels))
    assert loss_of(tmp_path, model, **options) == pytest.approx(plain, rel=1e-5)
    assert loss_of(tmp_path, model, use_rgl=True, **options) == pytest.approx(with_rgl, rel=1e-5)


def test_every_pass_has_a_dropout_of_its_own_that_the_seed_decides(tmp_path, monkeypatch):
    real, seeds = paddle.seed, []

    def watched(number):
        seeds.append(number)
        return real(number)

    runs = []
    for seed in (1, 1, 2):
        model = tiny_model()
        run = trainer(tmp_path, model, do_eval=False, max_steps=4, gradient_accumulation_steps=2, seed=seed)
        monkeypatch.setattr(paddle, "seed", watched)
        run.train()
        monkeypatch.setattr(paddle, "seed", real)
        runs.append(seeds[:])
        seeds.clear()
    assert runs[0] == runs[1] and len(set(runs[0])) == len(runs[0]) == 8
    assert not set(runs[0]) & set(runs[2])


def test_without_dropout_r_drop_adds_nothing(tmp_path):
    model = tiny_model(dropout=0.0)
    plain = loss_of(tmp_path, model)
    assert loss_of(tmp_path, model, use_rdrop=True) == pytest.approx(plain, rel=1e-6)
    assert loss_of(tmp_path, model, use_rgl=True) > plain + 1e-5


def test_regularisers_take_no_part_in_the_dev_loss(tmp_path, monkeypatch):
    model, sizes = tiny_model(), []
    plain = loss_of(tmp_path, model, training=False)
    assert loss_of(tmp_path, model, training=False, use_rdrop=True, use_rgl=True) == plain
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda **kw: sizes.append(len(kw["input_ids"])) or forward(**kw))
    trainer(tmp_path, model, use_rdrop=True).evaluate()
    assert sizes == [8]  # one pass, over what there is


def test_r_drop_goes_into_the_gradient(tmp_path):
    """Of one batch and one dropout: the gradient with R-Drop is not that without, and alpha scales the difference."""
    gradients = []
    for alpha in (0.0, 2.0, 4.0):
        model = tiny_model(dropout=0.3)
        run = trainer(tmp_path, model, use_rdrop=True, alpha_rdrop=alpha)
        inputs = dict(next(iter(run.get_train_dataloader())))
        model.train()
        paddle.seed(5)
        run.compute_loss(model, inputs).backward()
        gradients.append(model.head.weight.grad.numpy())
    once, twice = gradients[1] - gradients[0], gradients[2] - gradients[0]
    assert np.abs(once).max() > 1e-4
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-3, atol=1e-6)


# -- evaluation -----------------------------------------------------------------------------------------------------


def scores(metrics) -> dict:
    return {name: metrics[name] for name in ("eval_loss", "eval_accuracy", "eval_macro_f1")}


def test_evaluating_twice_gives_the_same(tmp_path):
    run = trainer(tmp_path, train=None)
    assert scores(run.evaluate()) == scores(run.evaluate()) == scores(run.evaluate(EXAMPLES))


def test_the_dev_loss_is_the_mean_over_examples_whatever_the_batches(tmp_path):
    model = tiny_model()
    logits = trainer(tmp_path, model, train=None).predict_logits(EXAMPLES).astype("float64")
    gold = [LABELS.label_to_id[example.label] for example in EXAMPLES]
    expected = np.mean([np.log(np.exp(row - row.max()).sum()) - (row - row.max())[g] for row, g in zip(logits, gold)])
    for batch in (1, 3, 32):
        metrics = trainer(tmp_path, model, train=None, per_device_eval_batch_size=batch).evaluate()
        assert metrics["eval_loss"] == pytest.approx(expected, rel=1e-5)
        assert metrics["eval_accuracy"] == np.mean(logits.argmax(-1) == gold)


def test_logits_come_in_the_order_of_the_examples(tmp_path):
    model = tiny_model()
    run = trainer(tmp_path, model, train=None, per_device_eval_batch_size=3)
    logits = run.predict_logits([type(e)(e.text_a) for e in EXAMPLES])
    assert logits.shape == (8, 3) and logits.dtype == np.float32
    for row, example in zip(logits, EXAMPLES):
        np.testing.assert_allclose(run.predict_logits([example])[0], row, atol=1e-5)


# -- starting point -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", ["none", "mlp", "lstm"])
def test_training_with_two_masks_starts_at_the_zero_shot_score(tmp_path, encoder):
    """A soft head row a mask and soft tokens: what train() begins with is what the pretrained head says to hard words."""
    zero_shot = trainer(
        tmp_path, tiny_model("{'text': 'text_a'}这条新闻的主题是" + "{'mask'}" * 2, head="manual"), train=None
    )
    expected, logits = scores(zero_shot.evaluate()), zero_shot.predict_logits(EXAMPLES)
    assert np.ptp(logits, axis=0).min() > 0.1, "examples that all look the same prove nothing"

    class FirstStep(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                seen.append(run.predict_logits(EXAMPLES))

    seen = []
    prompt = "{'text': 'text_a'}{'soft': '这条新闻的主题是'}" + "{'mask'}" * 2
    run = trainer(tmp_path, tiny_model(prompt, encoder=encoder), callbacks=[FirstStep()], max_steps=1, do_eval=False)
    assert scores(run.evaluate()) == pytest.approx(expected, abs=1e-5)
    run.train()
    np.testing.assert_allclose(seen, [logits], atol=1e-5)
    assert np.abs(run.predict_logits(EXAMPLES) - logits).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(num_train_epochs=0.4), "--num_train_epochs 0.4 is less than one step, of which an epoch has 2"),
        (dict(lr_scheduler_type="polynomial", lr_end=0.5), "--lr_end 0.5 must be below --learning_rate 0.001"),
    ],
)
def test_a_schedule_without_a_step_is_refused(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        trainer(tmp_path / "run", **options)
    assert names(tmp_path) == []


# -- the best model -------------------------------------------------------------------------------------------------


def test_training_ends_with_the_best_model(tmp_path, scripted):
    scripted([0.2, 0.9, 0.3, 0.4])
    spy = Spy()
    run = trainer(tmp_path, callbacks=[spy], num_train_epochs=4)
    run.train()
    assert run.state.best_model_checkpoint.endswith("checkpoint-4") and run.state.best_metric == 0.9
    assert same(weights(run.model), spy.weights[3]) and not same(weights(run.model), spy.weights[-1])
    run.save_model()
    assert same(saved_weights(tmp_path), spy.weights[3])


def test_training_ends_with_the_last_model_if_asked(tmp_path, scripted):
    scripted([0.2, 0.9, 0.3, 0.4])
    spy = Spy()
    run = trainer(tmp_path, callbacks=[spy], num_train_epochs=4, load_best_model_at_end=False)
    run.train()
    assert same(weights(run.model), spy.weights[-1])
    assert run.args.load_best_model_at_end is False


def test_without_evaluation_training_ends_with_the_last_model(tmp_path):
    spy = Spy()
    run = trainer(tmp_path, callbacks=[spy], dev=None, do_eval=False, num_train_epochs=2)
    run.train()
    assert same(weights(run.model), spy.weights[-1]) and names(tmp_path) == []


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_the_model_that_was_evaluated_is_the_model_that_was_saved(tmp_path, ema_decay):
    run = trainer(tmp_path, num_train_epochs=3, save_strategy="epoch", ema_decay=ema_decay)
    run.train()
    logged = {entry["step"]: scores(entry) for entry in run.state.log_history if "eval_loss" in entry}
    assert sorted(logged) == [2, 4, 6]
    for step, recorded in logged.items():
        model = PromptModel.from_pretrained(tmp_path / f"checkpoint-{step}")
        again = trainer(tmp_path / "again", model, train=None).evaluate()
        assert scores(again) == pytest.approx(recorded, abs=1e-6)


def test_the_best_checkpoint_is_an_error_when_it_has_gone(tmp_path, scripted):
    class Vandal(TrainerCallback):
        def on_epoch_end(self, args, state, control, **kwargs):
            shutil.rmtree(tmp_path / "checkpoint-2", ignore_errors=True)

    scripted([0.9, 0.1])
    with pytest.raises(CheckpointError, match="checkpoint-2"):
        trainer(tmp_path, callbacks=[Vandal()], num_train_epochs=2).train()


def test_early_stopping(tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(callbacks, "_PATIENCE_STEPS", 1)
    scripted([0.5, 0.6, 0.55, 0.5, 0.9])
    run = trainer(tmp_path, num_train_epochs=10, early_stopping_patience=2)
    run.train()
    assert run.state.global_step == 2 * 4  # the best in epoch 2, then two epochs without a better one


def test_early_stopping_counts_on_after_a_resume(tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(callbacks, "_PATIENCE_STEPS", 1)
    scripted([0.9, 0.5, 0.4])
    options = dict(num_train_epochs=10, early_stopping_patience=3, save_strategy="epoch")
    run = trainer(tmp_path, **{**options, "num_train_epochs": 3})
    run.train()
    assert run.state.global_step == 6
    scripted([0.3, 0.2, 0.1])
    resumed = trainer(tmp_path, tiny_model(seed=5), **options)
    resumed.train(str(tmp_path / "checkpoint-6"))
    assert resumed.state.global_step == 8
    assert same(weights(resumed.model), saved_weights(tmp_path / "checkpoint-2"))


@pytest.mark.parametrize(
    ("limit", "left"),
    [(1, [2, 12]), (2, [2, 10, 12]), (None, [2, 4, 6, 8, 10, 12]), (0, [2, 4, 6, 8, 10, 12])],
)
def test_save_total_limit_deletes_all_but_the_last_and_the_best(tmp_path, scripted, limit, left):
    scripted([0.9, 0.1, 0.2, 0.3, 0.2, 0.1])
    trainer(tmp_path, num_train_epochs=6, save_strategy="epoch", save_total_limit=limit).train()
    assert names(tmp_path) == sorted(f"checkpoint-{step}" for step in left)


def test_a_moved_run_without_its_best_checkpoint_is_refused_at_once(tmp_path, scripted):
    scripted([0.9, 0.1])
    trainer(tmp_path / "old", num_train_epochs=2, save_strategy="epoch").train()
    shutil.move(tmp_path / "old" / "checkpoint-4", tmp_path / "new" / "checkpoint-4")
    shutil.rmtree(tmp_path / "old")
    spy = Spy()
    with pytest.raises(CheckpointError, match="checkpoint-2"):
        trainer(tmp_path / "new", callbacks=[spy], num_train_epochs=3).train(str(tmp_path / "new" / "checkpoint-4"))
    assert spy.weights == []
    run = trainer(tmp_path / "new", num_train_epochs=3, load_best_model_at_end=False)
    run.train(str(tmp_path / "new" / "checkpoint-4"))
    assert run.state.global_step == 6


# -- freezing -------------------------------------------------------------------------------------------------------


def test_freeze_plm_trains_prompt_and_head_alone_and_needs_no_max_steps(tmp_path):
    model = tiny_model()
    before = weights(model)
    trainer(tmp_path, model, dev=None, do_eval=False, num_train_epochs=2, freeze_plm=True).train()
    moved = {name for name, value in weights(model).items() if not np.array_equal(value, before[name])}
    assert moved and not [name for name in moved if name.startswith("backbone.")]
    assert {HEAD, "head.bias", "soft_prompt.vectors"} <= moved


def test_freeze_dropout_lasts_through_every_step(tmp_path):
    seen = []

    class Watch(TrainerCallback):
        def on_optimizer_begin(self, args, state, control, model=None, **kwargs):
            seen.append((model.training, model.backbone.training))

    run = trainer(
        tmp_path, callbacks=[Watch()], max_steps=3, eval_steps=1, evaluation_strategy="steps", freeze_dropout=True
    )
    run.train()
    assert seen == [(True, False)] * 3
    inputs = next(iter(run.get_train_dataloader()))
    run.model.train()
    assert float(run.compute_loss(run.model, dict(inputs))) == float(run.compute_loss(run.model, dict(inputs)))


def test_nothing_to_train_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--freeze_plm leaves nothing to train"):
        trainer(tmp_path / "out", tiny_model(HARD, head="manual"), freeze_plm=True)
    assert not (tmp_path / "out").exists()


def test_too_few_examples_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="8 training examples"):
        trainer(tmp_path / "out", gradient_accumulation_steps=9)
    assert not (tmp_path / "out").exists()


# -- logs -----------------------------------------------------------------------------------------------------------


def test_visualdl_writes_where_it_is_told(tmp_path):
    pytest.importorskip("visualdl")
    run = trainer(tmp_path / "out", max_steps=2, report_to="visualdl", logging_dir=str(tmp_path / "logs"))
    run.train()
    (record,) = [path for path in (tmp_path / "logs").iterdir() if path.name.startswith("vdlrecords")]
    assert record.stat().st_size > 0
    assert "runs" not in names(tmp_path / "out")


def test_no_bars_where_stderr_is_no_terminal(tmp_path, capfd):
    options = dict(max_steps=3, save_strategy="steps", save_steps=1, disable_tqdm=None)
    trainer(tmp_path, **options).train()
    trainer(tmp_path, **options).train(str(tmp_path / "checkpoint-1"))  # the Trainer has a bar for what it skips
    out, err = capfd.readouterr()
    assert "dev accuracy" in err and out == ""
    assert "it/s" not in err and "%|" not in err and "Skipping" not in err


@pytest.mark.parametrize("bars", [True, False])
def test_one_line_an_evaluation_and_nothing_of_paddlenlps(tmp_path, capfd, bars):
    """PaddleNLP's own callbacks would print the same figures again."""
    run = trainer(tmp_path, num_train_epochs=3, disable_tqdm=not bars)
    run.train()
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if "dev " in line or "eval_" in line]
    assert out == "" and all("dev loss" in line and "dev accuracy" in line for line in lines)
    assert [line.split(":")[0] for line in lines] == [f"epoch   {epoch}.0, step {2 * epoch}" for epoch in (1, 2, 3)]
    kinds = {type(callback).__name__ for callback in run.callback_handler.callbacks}
    assert kinds == {"DefaultFlowCallback", "BestModelCallback", "ProgressCallback"}


def test_examples_or_encoded_datasets(tmp_path):
    model = tiny_model()
    run = PromptTrainer(model, trainer(tmp_path).args, None, EXAMPLES)
    assert run.train_dataset is None and len(run.eval_dataset) == 8
    assert scores(run.evaluate(run.eval_dataset)) == scores(run.evaluate())


# -- what a trainer leaves as it was ----------------------------------------------------------------------------------


def test_the_callers_arguments_keep_no_rate_of_a_model(tmp_path):
    args = arguments(tmp_path, learning_rate=None)
    PromptTrainer(tiny_model(), args, EXAMPLES, EXAMPLES)
    assert (args.learning_rate, args.ppt_learning_rate) == (None, None)


def test_a_later_trainer_without_freezing_trains_the_language_model(tmp_path):
    model = tiny_model()
    trained = len(model.language_model_parameters())
    trainer(tmp_path / "frozen", model, freeze_plm=True)
    assert trained and not model.language_model_parameters()
    before = weights(model)
    trainer(tmp_path / "free", model, do_eval=False, max_steps=1).train()
    assert len(model.language_model_parameters()) == trained
    assert not np.array_equal(weights(model)[BACKBONE], before[BACKBONE])


def test_a_loss_that_is_no_number_stops_training(tmp_path, monkeypatch):
    run = trainer(tmp_path, max_steps=3)
    monkeypatch.setattr(paddle.nn.functional, "cross_entropy", lambda logits, *_, **__: logits.sum() * float("nan"))
    with pytest.raises(ConfigError, match="the loss is nan at step 1: .*lower --learning_rate 0.001"):
        run.train()
