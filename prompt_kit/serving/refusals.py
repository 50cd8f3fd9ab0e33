"""The one shape of every answer that is no result: {"error": {"status": 422, "code": "empty_text", "message": "…"}}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional


class Refusal(Exception):
    """Why a request gets no result. `close` ends the connection, where the rest of a body is not worth reading."""

    def __init__(self, status: int, code: str, message: str, close: bool = False, retry_after: Optional[int] = None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers: dict[str, str] = {}
        if close:
            self.headers["connection"] = "close"
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)


def error_body(status: int, code: str, message: str) -> bytes:
    """The JSON of an error, as bytes."""
    return to_json({"error": {"status": status, "code": code, "message": message}})


def to_json(value: Mapping[str, Any]) -> bytes:
    """UTF-8 JSON; half a surrogate pair from a client's own words becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
