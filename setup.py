"""Package metadata. Every pin says why; how to install is in docs/install.md."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"', (ROOT / "prompt_kit/versions.py").read_text("utf-8"), re.M).group(1)

# The root modules: the data road and prediction.
BASE = [
    "numpy>=1.22",
    "tokenizers>=0.19,<0.24",  # NFD tables and splitting differ between releases; these were compared with PaddleNLP's
]

ONNXRUNTIME = [
    'onnxruntime>=1.19,<1.32; python_version>="3.10"',  # reads opset 17; 1.31 is the newest that was tried
    'onnxruntime>=1.19,<1.20; python_version<"3.10"',  # the last line for Python 3.9
]

# A wheel of 59 MB, 180 MB on disk. It brings openvino-telemetry, which only its converters use; nothing here calls these.
# 2026.4.1 was tried; 2025.0 refuses our graphs' reshapes, 2025.4 drops inputs that a graph does not read.
OPENVINO = "openvino>=2026.4,<2026.5"

PADDLENLP = [
    "paddlenlp==2.8.1",  # the last 2.x: 3.x drops AutoModelForMaskedLM's small models and moves the Trainer
    "paddle2onnx==2.1.0",  # 2.0 writes graphs that onnxruntime refuses for Paddle 3; needs Paddle 3's model.json
    "aistudio-sdk<0.3",  # paddlenlp 2.8.1 imports hub.download, which 0.3 removed
    "huggingface_hub<0.30",  # paddlenlp 2.8.1 imports names that later releases moved
    "datasets<3",  # paddlenlp 2.8.1 uses its old metric API
    "pyarrow<20",  # 20 wants numpy 2
    "numpy<2",  # paddlenlp 2.8.1 and visualdl use aliases that numpy 2 removed
    "protobuf<6",  # visualdl writes a bool into an int field, which 6 refuses
    "setuptools<81",  # jieba and visualdl import pkg_resources, which 81 deprecates and 82 removes
    "jieba>=0.42",  # the words of whole-word masking; paddlenlp brings it, but tools/pretrain.py imports it itself
    "safetensors>=0.4",
    "scikit-learn>=1.1",
    "tqdm",
]

EXTRAS = {
    "infer": ONNXRUNTIME,
    "infer-openvino": [*ONNXRUNTIME, OPENVINO],  # for CPUs with bfloat16 products; on others onnxruntime is as fast
    "infer-gpu": [requirement.replace("onnxruntime>", "onnxruntime-gpu>") for requirement in ONNXRUNTIME],
    "cpu": [
        "paddlepaddle==3.3.1",  # the release that was tried; below 3.0 paddle2onnx 2 does not load its graphs
        *PADDLENLP,
        *ONNXRUNTIME,
    ],
    # paddlepaddle-gpu 3 comes from Paddle's own index and is installed first (docs/install.md, GPU): PyPI's newest is 2.6.2
    "gpu": [*PADDLENLP, *[requirement.replace("onnxruntime>", "onnxruntime-gpu>") for requirement in ONNXRUNTIME]],
}
EXTRAS["spark"] = [  # tools/spark_predict.py; together with infer, or with cpu, whose pins these fit
    "pyspark>=3.5,<4",  # 3.5.9 was tried; it runs on Java 8, 11 and 17
    "pandas>=1.5,<3",  # 2.3 was tried
    "pyarrow<20",  # as above; 19 was tried
    "numpy<2",  # pyspark 3.5's own limit
    "setuptools<81",  # pyspark 3.5 imports distutils, which Python 3.12 has through setuptools alone
]
EXTRAS["serve"] = [  # prompt-kit serve; together with infer, infer-gpu, cpu or gpu
    "fastapi>=0.110,<1",  # 0.165 was tried; paddlenlp brings it too, without a bound
    "uvicorn>=0.30,<1",  # 0.54 was tried; prompt_kit/serving/server.py builds on its HTTP protocol, which 0.30 has too
    "prometheus_client>=0.20,<1",  # 0.26 was tried
]
EXTRAS["excel"] = ["openpyxl>=3.1,<4"]  # prompt-kit import excel; 3.1.5 was tried
EXTRAS["completion"] = ["shtab>=1.6,<2"]  # prompt-kit completion; 1.13 was tried
EXTRAS["report"] = [  # prompt-kit report, train.py --report; together with infer or cpu
    "matplotlib>=3.6",  # draws the pictures; 3.6 is the first with layout="constrained" as an argument of a figure
    "scikit-learn>=1.1",  # counts precision, recall, F1 and the confusion matrix
    "jinja2>=3.0",  # writes the page, and escapes every text in it
]
EXTRAS["test"] = [
    *EXTRAS["cpu"],
    *EXTRAS["report"],
    *EXTRAS["completion"],
    *EXTRAS["excel"],
    *EXTRAS["serve"],
    "pytest>=7",
    "pytest-xdist>=3.2",  # the first with --dist worksteal
    f'{OPENVINO}; python_version>="3.10"',  # it has no wheel for 3.9
    "ruff==0.15.7",  # a linter's release decides what passes
    "mypy>=1.13,<3",  # 2.4.1 was tried; Python 3.9 gets an older one
    "hypothesis>=6.70",  # tests/properties; 6.170 was tried
    "tritonclient>=2.40,<2.55",  # its model_config_pb2 reads config.pbtxt; 2.54 was tried, 2.73 wants protobuf 6
    "nbclient",
    "ipykernel",
]

EXTRAS["docs"] = [  # mkdocs build --strict
    "mkdocs>=1.6,<2",  # 1.6 has File.generated, which tools/site_hooks.py needs
    "mkdocs-material>=9.5,<10",  # 9.8.2 was tried
]

setup(
    name="prompt-kit",
    version=VERSION,
    description="Few-shot text classification by prompts, native to PaddlePaddle",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["prompt_kit", "prompt_kit.*"]),
    package_data={"prompt_kit": ["models/*/*", "report/*.jinja", "serving/static/*"]},
    install_requires=BASE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["prompt-kit = prompt_kit.cli.main:console"]},
)
