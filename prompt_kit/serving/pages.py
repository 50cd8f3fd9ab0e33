"""The two pages of a service. Neither loads anything from elsewhere, and a policy in their headers keeps it so."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Page:
    """The HTML, and the Content-Security-Policy that lets its own script and style run and nothing else."""

    content: bytes
    policy: str


@functools.lru_cache(maxsize=1)
def front_page() -> Page:
    """The page at /: type headlines, see labels with their probabilities."""
    return _page((_STATIC / "index.html").read_text("utf-8"))


def reference_page(schema: Mapping[str, Any]) -> Page:
    """The page at /docs: what `schema` (OpenAPI) says of each request, as plain HTML."""
    parts = [
        _operation(path, method, each) for path, found in schema["paths"].items() for method, each in found.items()
    ]
    text = (_STATIC / "reference.html").read_text("utf-8")
    title = f"{schema['info']['title']} {schema['info']['version']}"
    return _page(text.replace("<!-- title -->", html.escape(title)).replace("<!-- operations -->", "\n".join(parts)))


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    name = f"{method.upper()} {path}"
    lines = [
        f"<section><h2><code>{html.escape(name)}</code></h2>",
        f"<p>{html.escape(operation.get('summary', ''))}</p>",
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if body:
        example = json.dumps(body["example"], ensure_ascii=False)
        call = f"curl http://127.0.0.1:8189{path} -H 'Content-Type: application/json' -d '{example}'"
        lines.append(f"<pre><code>{html.escape(call)}</code></pre>")
        lines.append(_properties(body["schema"]))
    for status, answer in operation.get("responses", {}).items():
        for kind, content in answer.get("content", {}).items():
            if "example" in content:
                example = content["example"]
                text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
                title = f"{'4xx, 5xx' if status == 'default' else status} {kind}"
                lines.append(
                    f"<details><summary>{html.escape(title)}</summary><pre><code>{html.escape(text)}</code></pre></details>"
                )
    return "\n".join(lines) + "</section>"


def _properties(schema: Mapping[str, Any]) -> str:
    lines = []
    for name, value in schema.get("properties", {}).items():
        need = "required" if name in schema.get("required", ()) else "optional"
        about = f": {html.escape(value['description'])}" if "description" in value else ""
        lines.append(f"<li><code>{html.escape(name)}</code> {html.escape(value.get('type', ''))}, {need}{about}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def _page(text: str) -> Page:
    scripts, styles = (_hashes(tag, text) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(text.encode("utf-8"), policy)


def _hashes(tag: str, text: str) -> str:
    return " ".join(_hash(found) for found in re.findall(f"<{tag}>(.*?)</{tag}>", text, re.S)) or "'none'"


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
