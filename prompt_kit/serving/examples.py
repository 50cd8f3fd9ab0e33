"""What /docs and /openapi.json say of each request: its shape, an example, and the answer to it."""

from __future__ import annotations

from typing import Any

_ERROR = {
    "description": "Any 4xx or 5xx has this shape.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "properties": {
                            "status": {"type": "integer"},
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                        },
                    }
                },
            },
            "example": {
                "error": {"status": 422, "code": "empty_text", "message": "texts[1] is empty; expected some words"}
            },
        }
    },
}
_TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _answer(example: Any, kind: str = "application/json") -> dict[str, Any]:
    return {
        "responses": {"200": {"description": "The answer.", "content": {kind: {"example": example}}}, "default": _ERROR}
    }


def _request(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


PREDICT = {
    **_request(
        {
            "type": "object",
            "required": ["texts"],
            "additionalProperties": False,
            "properties": {
                "texts": _TEXTS,
                "text_pairs": {**_TEXTS, "description": "second texts, for a model whose template reads text_b"},
                "model": {"type": "string", "description": "a name of GET /models; the first without it"},
                "top_k": {"type": "integer", "minimum": 1, "default": 1, "description": "how many labels of each text"},
            },
        },
        {"texts": ["今晚国足迎战日本队", "新车上市售价公布"], "top_k": 2},
    ),
    **_answer(
        {
            "model": "default",
            "predictions": [
                {
                    "label": "news_sports",
                    "score": 0.98,
                    "top": [{"label": "news_sports", "score": 0.98}, {"label": "…"}],
                }
            ],
        }
    ),
}
EXPLAIN = {
    **_request(
        {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {
                "text": {"type": "string"},
                "text_pair": {
                    "type": "string",
                    "description": "the second text, for a model whose template reads text_b",
                },
                "label": {"type": "string", "description": "what to explain; the most probable label without it"},
                "model": {"type": "string", "description": "a name of GET /models; the first without it"},
            },
        },
        {"text": "今晚国足迎战日本队"},
    ),
    **_answer(
        {
            "model": "default",
            "label": "news_sports",
            "score": 0.98,
            "is_cut": False,
            "characters": [{"text": "今", "start": 0, "log_odds": 0.39, "probability": 0.01}, {"text": "…"}],
        }
    ),
}
SIMPLE_SERVER = {
    **_request(
        {
            "type": "object",
            "required": ["data"],
            "additionalProperties": False,
            "properties": {
                "data": {"type": "object", "required": ["text"], "properties": {"text": _TEXTS, "text_pair": _TEXTS}},
                "parameters": {
                    "type": "object",
                    "description": "max_seq_len and batch_size are accepted and change nothing",
                },
            },
        },
        {"data": {"text": ["今晚国足迎战日本队"]}, "parameters": {"max_seq_len": 128, "batch_size": 1}},
    ),
    **_answer({"result": {"label": [12], "confidence": [0.98], "label_name": ["news_sports"]}}),
}
MODELS = _answer(
    {
        "models": [
            {
                "name": "default",
                "labels": ["news_tech", "…"],
                "task_type": "multi-class",
                "text_pair": False,
                "device": "cpu",
                "precision": "fp32",
            }
        ],
        "limits": {"texts": 1000, "characters": 10000, "body_bytes": 4194304},
    }
)
HEALTH = _answer({"status": "ok", "version": "…"})
READY = _answer({"status": "ready"})
METRICS = _answer('prompt_kit_requests_total{path="/predict",status="200"} 1.0', "text/plain")
