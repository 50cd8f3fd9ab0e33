"""The service as an ASGI application: predictors by name -> FastAPI.

POST /predict         {"texts": ["…"], "top_k": 3} -> {"model": "default", "predictions": [{"label": …, "score": …, "top": […]}]}
POST /explain         {"text": "…"} -> what each character does for the label
POST /models/NAME     PaddleNLP SimpleServer's request and answer (paddlenlp/server, MultiClassificationPostHandler)
GET  /models /health /ready /metrics /openapi.json, and two pages: / and /docs
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Callable, Optional

import numpy as np
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from prompt_kit.errors import PromptKitError
from prompt_kit.inference.explanation import by_leaving_out, readings
from prompt_kit.serving import examples as shown
from prompt_kit.serving.bodies import Question, parse_explain, parse_predict, parse_simple_server, read_body
from prompt_kit.serving.limits import Limits
from prompt_kit.serving.metrics import CONTENT_TYPE, Metrics
from prompt_kit.serving.models import Classifier, Models, ServedModel
from prompt_kit.serving.pages import Page, front_page, reference_page
from prompt_kit.serving.refusals import Refusal, error_body, to_json
from prompt_kit.versions import __version__

logger = logging.getLogger(__name__)

_CODES = {404: "not_found", 405: "method_not_allowed"}
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


def create_app(
    predictors: Mapping[str, Classifier],
    limits: Optional[Limits] = None,
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The application that answers with `predictors`; the first is the one that a request without a name means.

    `stopping` tells whether the server is about to end, from when on /ready says no.
    """
    limits = limits or Limits()
    metrics = Metrics()
    models = Models(predictors, limits, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        models.start()
        yield
        await models.stop()

    # FastAPI's own pages load their scripts from a CDN, so /docs is ours
    app = FastAPI(
        title="prompt-kit",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )

    async def answer(request: Request, model: ServedModel, question: Question) -> list[np.ndarray]:
        _check_pairs(model, question)
        rows = await _answered(request, model.batcher.submit(question.examples), limits.seconds)
        metrics.labelled(model.name, len(rows))
        return rows

    @app.post("/predict", summary="Label texts · 给文本分类", openapi_extra=shown.PREDICT)
    async def predict(request: Request) -> Response:
        body = await read_body(request, limits)
        question = parse_predict(body, limits, lambda name: len(models.get(name).predictor.labels))
        model = models.get(question.model)
        rows = await answer(request, model, question)
        predictions = []
        for row in rows:
            top = _named(model, model.best(row, question.top_k))
            if model.predictor.decision.several:
                predictions.append({"labels": _named(model, model.answered(row)), "top": top})
            else:
                predictions.append({**top[0], "top": top})
        return _json({"model": model.name, "predictions": predictions})

    @app.post(
        "/explain",
        summary="What each character does for the label · 每个字对标签的作用",
        openapi_extra=shown.EXPLAIN,
    )
    async def explain(request: Request) -> Response:
        question = parse_explain(await read_body(request, limits), limits)
        model = models.get(question.model)
        _check_pairs(model, question)
        column = model.column_of(question.label)
        (reading,) = readings(question.examples, [part.prompt_tokenizer for part in model.predictor.models])
        # as many texts as the model reads characters, and one: its length bounds them
        rows = await _answered(request, model.batcher.submit(reading.variants()), limits.seconds)
        labels = model.predictor.labels
        found = by_leaving_out(reading, labels, np.stack(rows), len(reading.units) or 1, column)
        characters = [
            {
                "text": one.text,
                "start": one.start,
                "log_odds": round(one.log_odds, 6),
                "probability": round(one.probability, 6),
            }
            for one in found.effects
        ]
        answer = {"label": found.label, "score": round(found.score, 6), "is_cut": found.is_cut}
        return _json({"model": model.name, **answer, "characters": characters})

    @app.post(
        "/models/{name}",
        summary="Label texts, as PaddleNLP's SimpleServer · 与 PaddleNLP SimpleServer 相同的接口",
        openapi_extra=shown.SIMPLE_SERVER,
    )
    async def simple_server(request: Request, name: str) -> Response:
        model = models.get(name)
        question = parse_simple_server(await read_body(request, limits), limits)
        rows = await answer(request, model, question)
        if model.predictor.decision.several:
            return _json({"result": _simple_server_of_several(model, rows)})
        best = [model.best(row, 1)[0] for row in rows]
        result = {
            "label": [place for place, _ in best],
            "confidence": [score for _, score in best],
            "label_name": [model.predictor.labels[place] for place, _ in best],
        }
        return _json({"result": result})

    @app.get(
        "/models",
        summary="The models, their labels, and what a request may hold · 模型、标签和请求上限",
        openapi_extra=shown.MODELS,
    )
    async def list_models() -> Response:
        bounds = {"texts": limits.texts, "characters": limits.characters, "body_bytes": limits.body_bytes}
        return _json({"models": [model.describe() for model in models], "limits": bounds})

    @app.get("/health", summary="Whether the process is alive · 进程是否存活", openapi_extra=shown.HEALTH)
    async def health() -> Response:
        return _json({"status": "ok", "version": __version__})

    @app.get(
        "/ready",
        summary="Whether it takes requests; 503 while it is stopping · 是否接受请求",
        openapi_extra=shown.READY,
    )
    async def ready() -> Response:
        if stopping():
            raise Refusal(503, "stopping", "the service is being stopped")
        return _json({"status": "ready"})

    @app.get("/metrics", summary="Counters in Prometheus' text format · Prometheus 指标", openapi_extra=shown.METRICS)
    async def show_metrics() -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    @app.get("/", include_in_schema=False)
    async def front() -> Response:
        return _html(front_page())

    @app.get("/docs", include_in_schema=False)
    async def reference() -> Response:
        return _html(reference_page(app.openapi()))

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return _error(refusal.status, refusal.code, refusal.message, refusal.headers)

    @app.exception_handler(HTTPException)
    async def refused_by_the_router(request: Request, problem: HTTPException) -> Response:
        message = {
            404: f"nothing is at {request.url.path[:100]}; see /docs",
            405: f"{request.method} is not for this path",
        }
        code = _CODES.get(problem.status_code, "refused")
        text = message.get(problem.status_code, str(problem.detail))
        return _error(problem.status_code, code, text, dict(problem.headers or {}))

    app.add_middleware(_Watch, metrics=metrics, limits=limits)
    return app


class _Watch:
    """Around every request: how many at a time, security headers, metrics, and JSON where something fails."""

    def __init__(self, app: Callable[..., Any], metrics: Metrics, limits: Limits):
        self._app, self._metrics, self._limits = app, metrics, limits
        self._open = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered as GET; the server leaves the body out
            scope = {**scope, "method": "GET"}
        start, status = time.perf_counter(), 0

        async def sent(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        self._open += 1
        try:
            if self._open > self._limits.requests:
                busy = _error(503, "busy", f"{self._limits.requests} requests are being answered", {"retry-after": "1"})
                await busy(scope, receive, sent)
            else:
                await self._app(scope, receive, sent)
        except Exception as problem:
            logger.error("%s %s failed", scope["method"], scope["path"][:100], exc_info=problem)
            if not status:
                failed = _error(
                    500, "internal", "the service failed to answer; its log says why", {"connection": "close"}
                )
                await failed(scope, receive, sent)
        finally:
            self._open -= 1
            route = scope.get("route")
            self._metrics.request(getattr(route, "path", "other"), status, time.perf_counter() - start)


async def _answered(request: Request, future: asyncio.Future, seconds: float) -> list[np.ndarray]:
    """The answers, unless the client leaves or the time is over first: then nothing waits for them any longer."""
    left = asyncio.ensure_future(_until_left(request))
    try:
        await asyncio.wait((future, left), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        if left.done():
            raise Refusal(499, "gone", "the client has gone", close=True)
        raise Refusal(504, "too_slow", f"no answer within {seconds:g} s: too many texts are waiting", retry_after=1)
    except PromptKitError as problem:
        logger.error("a model refused its texts: %s", problem)
        raise Refusal(500, "model_failed", "the model failed on these texts; the service's log says why") from None
    finally:
        future.cancel()
        left.cancel()


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_pairs(model: ServedModel, question: Question) -> None:
    has_pairs = question.examples[0].text_b is not None
    if model.needs_pair and not has_pairs:
        raise Refusal(
            422, "no_pairs", f"model {model.name} reads two texts; send a second one for each (text_pairs, text_pair)"
        )
    if has_pairs and not model.needs_pair:
        raise Refusal(422, "wrong_shape", f"model {model.name} reads one text; leave out the second ones")


def _named(model: ServedModel, places: list[tuple[int, float]]) -> list[dict[str, Any]]:
    labels = model.predictor.labels
    return [{"label": labels[place], "score": round(score, 6)} for place, score in places]


def _simple_server_of_several(model: ServedModel, rows: list[np.ndarray]) -> dict[str, list[list[Any]]]:
    """A list a text, as PaddleNLP's MultiLabelClassificationPostHandler has it."""
    answers = [model.answered(row) for row in rows]
    return {
        "label": [[place for place, _ in one] for one in answers],
        "confidence": [[score for _, score in one] for one in answers],
        "label_name": [[model.predictor.labels[place] for place, _ in one] for one in answers],
    }


def _json(value: Mapping[str, Any]) -> Response:
    return Response(to_json(value), headers={"content-type": "application/json"})


def _error(status: int, code: str, message: str, headers: Mapping[str, str]) -> Response:
    return Response(error_body(status, code, message), status, {**headers, "content-type": "application/json"})


def _html(page: Page) -> Response:
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": page.policy}
    return Response(page.content, headers={**headers, "referrer-policy": "no-referrer", "x-frame-options": "DENY"})
