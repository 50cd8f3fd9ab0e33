"""Makes sum_of_tokens.onnx, a classifier whose answers can be added up by hand; needs the package onnx.

logits[b, c] = the sum over the tokens of text b of SCORES[token][c]. Padding, [CLS], [SEP] and [MASK] score nothing.
sum_of_tokens_states.onnx has a second output, states[b] = the sum of STATES[token], made length 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

SCORES = np.zeros((12, 3), dtype=np.float32)
SCORES[6], SCORES[7] = [2, 0, 0], [1, 0, 0]  # 球 队
SCORES[8] = [0, 3, 0]  # 车
SCORES[9], SCORES[10] = [0, 0, 2], [0, 0, 1]  # 股 票


STATES = np.zeros((12, 4), dtype=np.float32)
STATES[[6, 8, 9, 11], [0, 1, 2, 3]] = 1  # 球 车 股 新, a direction each
STATES[7] = [3, 0, 0, 4]  # 队


def main(with_states: bool) -> None:
    inputs = {"input_ids": ["batch", "length"], "token_type_ids": ["batch", "length"], "mask_columns": ["batch", 1]}
    nodes = [
        helper.make_node("Gather", ["scores", "input_ids"], ["token_scores"]),
        helper.make_node("ReduceSum", ["token_scores", "axis"], ["logits"], keepdims=0),
    ]
    outputs, constants = {"logits": ["batch", 3]}, {"scores": SCORES, "axis": np.array([1])}
    if with_states:
        nodes += [
            helper.make_node("Gather", ["vectors", "input_ids"], ["token_states"]),
            helper.make_node("ReduceSum", ["token_states", "axis"], ["sum"], keepdims=0),
            helper.make_node("ReduceL2", ["sum"], ["length"], axes=[1], keepdims=1),
            helper.make_node("Max", ["length", "least"], ["divisor"]),
            helper.make_node("Div", ["sum", "divisor"], ["states"]),
        ]
        outputs["states"] = ["batch", 4]
        constants.update(vectors=STATES, least=np.array([1e-6], np.float32))
    graph = helper.make_graph(
        nodes,
        "sum_of_tokens",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, Path(__file__).with_name(f"sum_of_tokens{'_states' if with_states else ''}.onnx"))


if __name__ == "__main__":
    main(with_states=False)
    main(with_states=True)
