"""One static graph for several tasks on one language model: what belongs to a task is an input of it.

The inputs beside those of a text, all float32 (see prompt_kit/inference/tasks.py): the table of soft tokens, the
prefix, and the head in the one form that every head has, `HeadArrays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.static import InputSpec

from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt_config.tasks import HEAD_INPUTS, PREFIX_INPUTS, SOFT_INPUT, graph_inputs, task_inputs
from prompt_kit.training.export.onnx_graph import silenced
from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig
from prompt_kit.training.models.soft_prompt import PromptEmbedding

Arrays = dict[str, np.ndarray]


class TaskGraph(nn.Layer):
    """A language model whose soft tokens, prefix and head come with each batch.

    Args:
        model: of any of the tasks; its weights are copied.
        with_prefix: whether any task has a prefix. Without one the graph has no inputs for it, and costs nothing.
    """

    def __init__(self, model: PromptModel, with_prefix: bool):
        super().__init__()
        parts = "{'soft'}{'text': 'text_a'}{'mask'}"
        template = Template.parse("{'prefix'}" + parts if with_prefix else parts)
        tokenizer = PromptTokenizer(template, model.tokenizer, model.prompt_tokenizer.max_seq_length)
        backbone = type(model.backbone)(model.backbone.config)
        self.model = PromptModel(backbone, tokenizer, model.verbalizer, PromptModelConfig(head="cosine"))
        own = dict(self.model.backbone.named_parameters())
        for name, parameter in model.backbone.named_parameters():
            own[name].set_value(parameter.detach().astype("float32").cpu().numpy())
        self.with_prefix = with_prefix
        # a dictionary, since a tensor that is an attribute of a Layer would become a constant of the graph
        self._given: dict[str, Any] = {}
        embedding = self.model.backbone.get_input_embeddings()
        if isinstance(embedding, PromptEmbedding):
            embedding._table = lambda: self._given[SOFT_INPUT]
            # nn.functional.embedding wants a table of a known size
            embedding.look_up = lambda rows, table: paddle.gather_nd(table, rows.unsqueeze(-1))
        if self.model.prefix is not None:
            self.model.prefix.source = lambda: tuple(self._given[name] for name in PREFIX_INPUTS)
        self.eval()

    def forward(
        self,
        input_ids,
        token_type_ids,
        mask_columns,
        soft_ids,
        soft_table,
        head_weight,
        head_bias,
        head_center,
        head_directions,
        prefix_keys=None,
        prefix_values=None,
    ) -> paddle.Tensor:
        """Label logits [B, C] of one task."""
        self._given[SOFT_INPUT] = soft_table
        self._given[PREFIX_INPUTS[0]], self._given[PREFIX_INPUTS[1]] = prefix_keys, prefix_values
        states = self.model.transform(self.model.encode_masks(input_ids, token_type_ids, mask_columns, soft_ids))
        flat = states.reshape([0, -1])  # [B, D]
        cosines = paddle.matmul(F.normalize(flat - head_center, axis=-1), head_directions)
        return paddle.matmul(flat, head_weight) + head_bias + cosines

    def save(self, prefix: Path) -> None:
        """Write prefix.json and prefix.pdiparams."""
        floats, specs = task_inputs(self.with_prefix), []
        for name, shape in graph_inputs(self.with_prefix).items():
            sizes = [size if isinstance(size, int) else None for size in shape]
            specs.append(InputSpec(sizes, "float32" if name in floats else "int64", name))
        with silenced():
            paddle.jit.save(self, str(prefix), input_spec=specs)


def task_arrays(model: PromptModel, with_prefix: bool) -> Arrays:
    """What a task gives the graph beside its texts. A part that its template does not have is of one token, all zeros."""
    head = model.head.arrays()
    width = model.backbone.get_input_embeddings().weight.shape[1]
    with paddle.no_grad():
        soft = np.zeros([1, width], "float32") if model.soft_prompt is None else model.soft_prompt().numpy()
        arrays = {SOFT_INPUT: soft}
        arrays.update(zip(HEAD_INPUTS, (head.weight, head.bias, head.center, head.directions)))
        if with_prefix:
            arrays.update(zip(PREFIX_INPUTS, _prefix(model)))
    return {name: np.ascontiguousarray(array, "float32") for name, array in arrays.items()}


def _prefix(model: PromptModel) -> Sequence[np.ndarray]:
    """Keys and gated values [N, A, P, D]."""
    if model.prefix is not None:
        return [each.numpy() for each in model.prefix()]
    layers = model._encoder.encoder.layers
    attention = layers[0].self_attn
    return [np.zeros([len(layers), attention.num_heads, 1, attention.head_dim], "float32")] * 2
