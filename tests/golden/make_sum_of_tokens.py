"""Makes sum_of_tokens.onnx, a classifier whose answers can be added up by hand; needs the package onnx.

logits[b, c] = the sum over the tokens of text b of SCORES[token][c]. Padding, [CLS], [SEP] and [MASK] score nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

SCORES = np.zeros((12, 3), dtype=np.float32)
SCORES[6], SCORES[7] = [2, 0, 0], [1, 0, 0]  # 球 队
SCORES[8] = [0, 3, 0]  # 车
SCORES[9], SCORES[10] = [0, 0, 2], [0, 0, 1]  # 股 票


def main() -> None:
    inputs = {"input_ids": ["batch", "length"], "token_type_ids": ["batch", "length"], "mask_columns": ["batch", 1]}
    nodes = [
        helper.make_node("Gather", ["scores", "input_ids"], ["token_scores"]),
        helper.make_node("ReduceSum", ["token_scores", "axis"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "sum_of_tokens",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(SCORES, "scores"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, Path(__file__).with_name("sum_of_tokens.onnx"))


if __name__ == "__main__":
    main()
