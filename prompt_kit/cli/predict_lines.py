"""A prediction as one line of output: the label alone, a row of a table, or a JSON object."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Callable

from prompt_kit.errors import ConfigError

if TYPE_CHECKING:
    from prompt_kit.inference.predictor import Prediction, Predictor

FORMATS = ("jsonl", "label", "tsv")


def line_writer(output_format: str, several: bool) -> Callable[[Prediction], str]:
    """How predictions are written in one of FORMATS; `several`: of a task in which a text may have several labels."""
    if output_format == "label":
        return lambda prediction: prediction.label
    if output_format == "tsv":
        return _tsv_of_several if several else _tsv
    return _jsonl_of_several if several else _jsonl


def labels_to_show(args: argparse.Namespace, predictor: Predictor) -> int:
    """How many labels a prediction lists: --top_k, or all of a task in which a text may have several."""
    if not predictor.decision.several:
        return int(args.top_k)
    if args.top_k > 1:
        raise ConfigError(
            f"--top_k {args.top_k} is for models of one label a text, and this one is {predictor.decision.kind}; drop it, "
            "and take --output_format jsonl for the probabilities of all labels"
        )
    return len(predictor.labels)


def _texts(prediction: Prediction) -> list[str]:
    return [prediction.text] if prediction.text_b is None else [prediction.text, prediction.text_b]


def _tsv(prediction: Prediction) -> str:
    from prompt_kit.inference.table import table_row

    columns = [field for label, probability in prediction.top for field in (label, f"{probability:.6f}")]
    return table_row([*_texts(prediction), *columns])


def _tsv_of_several(prediction: Prediction) -> str:
    from prompt_kit.inference.table import table_row

    scores = ",".join(f"{probability:.6f}" for _, probability in prediction.labels)
    return table_row([*_texts(prediction), prediction.label, scores])


def _jsonl(prediction: Prediction) -> str:
    record: dict[str, Any] = {**_fields(prediction), "label": prediction.label, "score": round(prediction.score, 6)}
    if len(prediction.top) > 1:
        record["top"] = [{"label": label, "score": round(probability, 6)} for label, probability in prediction.top]
    return json.dumps({**record, **_nearest(prediction)}, ensure_ascii=False)


def _jsonl_of_several(prediction: Prediction) -> str:
    record = {
        **_fields(prediction),
        "labels": [label for label, _ in prediction.labels],
        "scores": {label: round(probability, 6) for label, probability in prediction.top},
        **_nearest(prediction),
    }
    return json.dumps(record, ensure_ascii=False)


def neighbours(prediction: Prediction) -> list[dict[str, Any]]:
    """The nearest training examples as they stand in a JSON object."""
    return [{"text": one.text, "label": one.label, "cosine": round(one.similarity, 6)} for one in prediction.nearest]


def _nearest(prediction: Prediction) -> dict[str, Any]:
    return {"nearest": neighbours(prediction)} if prediction.nearest else {}


def _fields(prediction: Prediction) -> dict[str, str]:
    return dict(zip(("text", "text_pair"), _texts(prediction)))
