"""The average of the weights: by hand, on and off the model, and in checkpoints."""

import numpy as np
import paddle
import pytest
from runs import same, saved_weights, trainer, weights
from safetensors.numpy import load_file

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.averaging import WeightAverage


class State:
    global_step = 0


def one_number(value: float):
    layer = paddle.nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(paddle.to_tensor([[value]]))
    return layer


def test_the_average_by_hand():
    layer, state = one_number(1.0), State()
    average = WeightAverage(layer, decay=0.7)
    average.on_train_begin(None, state, None)
    expected = 1.0
    for step, value in enumerate([2.0, -3.0, 5.0, 0.5] * 5, start=1):
        layer.weight.set_value(paddle.to_tensor([[value]]))
        state.global_step = step
        average.on_step_end(None, state, None)
        decay = min(0.7, step / (step + 1))  # 1/2, 2/3, and 0.7 from step 3 on
        expected = decay * expected + (1 - decay) * value
        with average.applied():
            assert layer.weight.item() == pytest.approx(expected, rel=1e-5)
        assert layer.weight.item() == value
    average.apply()
    assert layer.weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_weights_come_back_after_an_error():
    layer = one_number(1.0)
    average = WeightAverage(layer, 0.9)
    average.restart()
    layer.weight.set_value(paddle.to_tensor([[7.0]]))
    with pytest.raises(KeyboardInterrupt), average.applied():
        assert layer.weight.item() == 1.0
        raise KeyboardInterrupt
    assert layer.weight.item() == 7.0


def test_what_is_not_trained_is_not_averaged():
    layer = paddle.nn.Linear(2, 2)
    layer.bias.stop_gradient = True
    average = WeightAverage(layer, 0.9)
    average.restart()
    layer.bias.set_value(paddle.to_tensor([3.0, 4.0]))
    with average.applied():
        assert layer.bias.tolist() == [3.0, 4.0]


def test_averaging_changes_what_is_kept_and_nothing_of_the_training(tmp_path):
    options = dict(num_train_epochs=3, save_strategy="epoch", load_best_model_at_end=False)
    plain, averaged = (
        trainer(tmp_path / str(decay), ema_decay=decay, **options) for decay in (0.0, 0.9)
    )  # fmt: skip
    plain.train()
    averaged.train()
    for step in (2, 4, 6):
        live = load_file(str(tmp_path / "0.9" / f"checkpoint-{step}" / "live.safetensors"))
        held = saved_weights(tmp_path / "0.0" / f"checkpoint-{step}")
        assert live and all(np.array_equal(live[name], held[name]) for name in live)
    assert not same(weights(plain.model), weights(averaged.model))
    assert same(weights(averaged.model), saved_weights(tmp_path / "0.9" / "checkpoint-6"))


@pytest.mark.parametrize("first, then", [(0.0, 0.9), (0.9, 0.0)])
def test_resuming_with_averaging_turned_on_or_off_is_refused(tmp_path, first, then):
    trainer(tmp_path, max_steps=2, save_steps=1, save_strategy="steps", ema_decay=first).train()
    with pytest.raises(CheckpointError, match=f"--ema_decay {then} contradicts the run of .* {first}"):
        trainer(tmp_path, max_steps=4, ema_decay=then).train(str(tmp_path / "checkpoint-1"))
    (tmp_path / "checkpoint-1" / "run.json").unlink()  # as an earlier version leaves it
    with pytest.raises(
        CheckpointError, match="averaged weights; resume with the --ema_decay of the first run"
    ) as caught:
        trainer(tmp_path, max_steps=4, ema_decay=then).train(str(tmp_path / "checkpoint-1"))
    assert "\n" not in str(caught.value)


def test_the_decay_is_below_one(tmp_path):
    with pytest.raises(ConfigError, match="--ema_decay must be at least 0 and below 1"):
        PromptTrainingArguments(output_dir=str(tmp_path), ema_decay=1.0)
