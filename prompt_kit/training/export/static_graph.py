"""PromptModel -> Paddle static graph on disk, and a static graph on disk -> a function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Callable

import numpy as np
import paddle
from paddle import nn
from paddle.static import InputSpec

from prompt_kit.errors import BundleError
from prompt_kit.inference.cores import physical_cores
from prompt_kit.prompt_config.kinds import Axes
from prompt_kit.training.export.onnx_graph import last_line, silenced
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.soft_prompt import PromptEmbedding

Outputs = tuple[np.ndarray, ...]  # of one batch, in the order in which prompt_config.json declares them


class _Frozen(nn.Layer):
    """The model as a function of its inputs alone: the prompt's encoders depend on none, so they run once, here."""

    def __init__(self, model: PromptModel, states: bool):
        super().__init__()
        self.model, self._states = model, states
        self.eval()
        embedding = model.backbone.get_input_embeddings()
        if isinstance(embedding, PromptEmbedding) and model.soft_prompt is not None:
            with paddle.no_grad():
                self.register_buffer("soft_table", model.soft_prompt().detach())
            embedding._table = lambda: self.soft_table
        if model.prefix is not None:
            with paddle.no_grad():
                keys, values = model.prefix()
            self.register_buffer("prefix_keys", keys.detach())
            self.register_buffer("prefix_values", values.detach())
            model.prefix.source = lambda: (self.prefix_keys, self.prefix_values)

    def forward(self, input_ids, token_type_ids, mask_columns, soft_ids=None):
        if not self._states:
            return self.model(input_ids, token_type_ids, mask_columns, soft_ids)
        logits, states = self.model(input_ids, token_type_ids, mask_columns, soft_ids, return_mask_states=True)
        return logits, self.model.unit_states(states)


def save_static(model: PromptModel, prefix: Path, inputs: Mapping[str, Axes], states: bool = False) -> None:
    """Write prefix.json and prefix.pdiparams, with `states` of two outputs. The model's soft prompt and prefix are constants
    afterwards: give a copy."""
    specs = [
        InputSpec([size if isinstance(size, int) else None for size in shape], "int64", name)
        for name, shape in inputs.items()
    ]
    with silenced():
        paddle.jit.save(_Frozen(model, states), str(prefix), input_spec=specs)


def open_static(
    model_file: Path, params_file: Path, inputs: Iterable[str]
) -> Callable[[dict[str, np.ndarray]], Outputs]:
    """arrays -> what `run_eager` gives, of a static graph (.json or the older .pdmodel), run by Paddle's inference on the CPU.

    Raises BundleError when Paddle cannot load it or it has other inputs.
    """
    from paddle import inference

    config = inference.Config(str(model_file), str(params_file))
    config.disable_gpu()
    config.disable_glog_info()
    config.switch_ir_optim(False)  # the graph as it is: it is what others are compared with
    config.set_cpu_math_library_num_threads(physical_cores())
    try:
        with silenced():
            predictor = inference.create_predictor(config)
    except Exception as error:  # of any kind: bad JSON is a RuntimeError
        raise BundleError(f"{model_file} or {params_file.name} is damaged: {last_line(str(error))}") from error
    names = predictor.get_input_names()
    if sorted(names) != sorted(inputs):
        raise BundleError(
            f"{model_file} has inputs {names}, but its template asks for {list(inputs)}: not of one export"
        )

    def answer(arrays: dict[str, np.ndarray]) -> Outputs:
        for name in names:
            predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(arrays[name]))
        predictor.run()
        return tuple(predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names())

    return answer


def run_eager(model: nn.Layer, arrays: dict[str, np.ndarray], states: bool = False) -> Outputs:
    """(logits [B, C],) of a model in memory, with `states` (logits, unit states [B, D])."""
    tensors = {name: paddle.to_tensor(array) for name, array in arrays.items()}
    with paddle.no_grad():
        if not states:
            return (model(**tensors).numpy(),)
        logits, found = model(**tensors, return_mask_states=True)
        return logits.numpy(), model.unit_states(found).numpy()
