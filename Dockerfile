# prompt-kit serve in a container, without Paddle. Build it in the clone; give it an exported folder when it runs:
#   docker build -t prompt-kit .
#   docker run --rm -p 127.0.0.1:8189:8189 -v "$PWD/checkpoints/export:/model:ro" prompt-kit
FROM python:3.11-slim AS build
WORKDIR /src
COPY setup.py pyproject.toml README.md LICENSE ./
COPY prompt_kit ./prompt_kit
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[infer,serve]" && rm -r /wheels \
    && useradd --no-create-home --shell /usr/sbin/nologin serve
USER serve
EXPOSE 8189
# 0.0.0.0 is the container's own network: what can reach it is what docker run -p says
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8189/ready', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["prompt-kit", "serve", "--host", "0.0.0.0", "--port", "8189"]
CMD ["--model_path_prefix", "/model"]
