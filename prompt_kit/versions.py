"""The version of prompt-kit and of the packages whose versions a result depends on."""

from __future__ import annotations

import platform

__version__ = "0.1.0"

_PACKAGES = "paddlepaddle paddlepaddle-gpu paddlenlp paddle2onnx onnxruntime onnxruntime-gpu tokenizers numpy".split()


def installed_versions() -> dict:
    """Name -> version of Python, prompt-kit and those of the packages that are installed."""
    from importlib import metadata  # not at start: prediction would pay for it

    versions = {"python": platform.python_version(), "prompt-kit": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
