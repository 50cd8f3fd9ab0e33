"""What a stranger may send, and how long anything may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from prompt_kit.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds of one request and of all of them together; beyond each the answer is a 4xx or 503 that names it.

    body_bytes   of a request's body
    texts        in a request
    characters   of a text, before the model cuts it to its own length
    waiting      texts of all requests that wait for a model
    requests     that are answered at a time
    connections  that are open at a time
    seconds      for the body to arrive, for the answer to be ready, and for the client to take it, each
    batch        texts that go through the model together at most
    wait_ms      how long a text waits for others to share its batch
    """

    body_bytes: int = 4 << 20
    texts: int = 1000
    characters: int = 10_000
    waiting: int = 20_000
    requests: int = 512
    connections: int = 1024
    seconds: float = 30.0
    batch: int = 32
    wait_ms: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "wait_ms" else 1e-3 if field.name == "seconds" else 1
            if not math.isfinite(value) or value < least:
                flag = "--batch_size" if field.name == "batch" else f"--max_{field.name}"
                raise ConfigError(f"{flag} must be {least:g} or more, got {value}")
        if self.waiting < self.texts:
            raise ConfigError(
                f"--max_waiting {self.waiting} is below --max_texts {self.texts}: such a request never fits"
            )
