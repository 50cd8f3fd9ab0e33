"""Exported folders as a service over HTTP: `prompt-kit serve`. Needs the extra `serve` (FastAPI, uvicorn, prometheus_client)."""
