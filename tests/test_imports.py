"""The import rule: prediction needs neither Paddle nor PaddleNLP, and training without them says which extra to install.

Every case is a fresh Python in which paddle and paddlenlp cannot be imported.
"""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

import prompt_kit

BLOCK = "import sys; sys.modules['paddle'] = sys.modules['paddlenlp'] = None\n"
TRAINING = ("PromptModel", "PromptTrainer")
# Packages and modules of prompt_kit that need an extra; the classifier, a scikit-learn estimator, is of no use without it.
NEED_AN_EXTRA = ("training", "serving", "classifier")


def modules():
    """Every module of the package but those under NEED_AN_EXTRA."""
    found = []
    for module in pkgutil.iter_modules(prompt_kit.__path__, "prompt_kit."):
        if module.name.partition(".")[2] in NEED_AN_EXTRA:
            continue
        found.append(module.name)
        if module.ispkg:
            path = [os.path.join(folder, module.name.rpartition(".")[2]) for folder in prompt_kit.__path__]
            found += [inner.name for inner in pkgutil.walk_packages(path, module.name + ".")]
    return found


def python(root, program, *arguments, path=""):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, str(root)])), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=root, env=environment, capture_output=True, text=True,
        timeout=120, encoding="utf-8",
    )  # fmt: skip


def script(root, name, *arguments, program=BLOCK, path=""):
    """`python name arguments`, after `program`."""
    run = f"import runpy; sys.argv = sys.argv[1:]; runpy.run_path({name!r}, run_name='__main__')"
    return python(root, program + run, name, *arguments, path=path)


def test_every_root_module_is_there():
    names = modules()
    assert {
        "prompt_kit.data.dataset",
        "prompt_kit.inference.predictor",
        "prompt_kit.prompt.template",
        "prompt_kit.versions",
    } <= set(names)
    assert not any(name.split(".")[1:2] == ["training"] for name in names)


def import_graph(root) -> dict:
    """Module of prompt_kit -> modules of it that it imports, inside functions too, but no package's __init__."""
    files = {}
    for path in (root / "prompt_kit").rglob("*.py"):
        files[".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = path
    graph = {}
    for name, path in files.items():
        if path.name == "__init__.py":
            continue
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: a relative import"
                imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        found = {one if one in files else one.rpartition(".")[0] for one in imported}
        graph[name] = {one for one in found if one in files and files[one].name != "__init__.py"}
    return graph


def test_the_graph_has_imports_wherever_they_are(tmp_path):
    files = {
        "low": "def f():\n    from prompt_kit.training.trainer import Trainer",
        "high": "if TYPE_CHECKING:\n    import prompt_kit.low\nfrom numpy import low",
        "training/__init__": "",
        "training/trainer": "from prompt_kit import high\nfrom prompt_kit.high import name",
    }
    (tmp_path / "prompt_kit" / "training").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "prompt_kit" / f"{name}.py").write_text(text, encoding="utf-8")
    graph = import_graph(tmp_path)
    assert graph == {
        "prompt_kit.low": {"prompt_kit.training.trainer"},
        "prompt_kit.high": {"prompt_kit.low"},
        "prompt_kit.training.trainer": {"prompt_kit.high"},
    }
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_no_circle_of_imports(root):
    TopologicalSorter(import_graph(root)).prepare()  # raises CycleError


def test_arrows_point_one_way(root):
    """The rooms that need Paddle import the others, which never import them; the command line and the front door may."""
    free = lambda name: name.startswith(("prompt_kit.training", "prompt_kit.cli")) or name == "prompt_kit.classifier"  # noqa: E731
    upward = [
        (name, one) for name, found in import_graph(root).items() if not free(name)
        for one in found if one.startswith(("prompt_kit.training", "prompt_kit.cli"))
    ]  # fmt: skip
    assert not upward


def test_root_modules_import_without_paddle_and_without_what_only_some_need(root):
    program = BLOCK + (
        "import importlib\n"
        f"for name in {modules()!r}: importlib.import_module(name)\n"
        "heavy = {'sklearn', 'pandas', 'torch', 'transformers', 'prompt_kit.training'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = python(root, program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_package_imports_nothing_heavy(root):
    done = python(
        root,
        "import sys, prompt_kit; print(sorted({'numpy', 'tokenizers', 'onnxruntime', 'paddle'} & set(sys.modules)))",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize(("asked", "found"), [(None, "1"), ("0", "0")])
def test_onnxruntime_is_told_to_send_nothing_unless_the_user_says_otherwise(root, asked, found, monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if asked is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", asked)
    program = "import prompt_kit.inference.predictor, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python(root, program).stdout == f"{found}\n"


def test_predictor_template_and_verbalizer_without_paddle(root):
    pytest.importorskip("onnxruntime")
    program = (
        BLOCK + "from prompt_kit import Predictor, Template, Verbalizer\nprint(Predictor.__name__, Template.__name__)"
    )
    done = python(root, program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Predictor Template\n", "")


@pytest.mark.parametrize("name", TRAINING)
def test_training_names_are_lazy_and_name_the_extra(root, name):
    program = BLOCK + (
        f"import prompt_kit\nassert {name!r} in prompt_kit.__all__\n"
        "from prompt_kit.errors import DependencyError\n"
        f"try:\n    prompt_kit.{name}\nexcept DependencyError as error:\n    print(error)"
    )
    done = python(root, program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "paddle is not installed" in done.stdout and "[cpu]" in done.stdout and done.stdout.count("\n") == 1


def test_the_classifier_needs_paddle_only_when_it_works(root):
    pytest.importorskip("sklearn")
    program = BLOCK + (
        "from prompt_kit import PromptClassifier\n"
        "from prompt_kit.errors import DependencyError\n"
        "classifier = PromptClassifier({'car': '汽车', 'sports': '体育'}, seed=7)\n"
        "print(classifier.get_params()['seed'], list(classifier.classes_), 'prompt_kit.training' in sys.modules)\n"
        "try:\n    classifier.predict(['新车'])\nexcept DependencyError as error:\n    print(error)"
    )
    done = python(root, program)
    first, second = done.stdout.splitlines()
    assert (done.returncode, done.stderr, first) == (0, "", "7 ['car', 'sports'] False")
    assert second.startswith("paddle is not installed") and "[cpu]" in second


def test_the_classifier_without_scikit_learn_names_the_extra(root):
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import prompt_kit\n"
        "from prompt_kit.errors import DependencyError\n"
        "try:\n    prompt_kit.PromptClassifier\nexcept DependencyError as error:\n    print(error)"
    )
    done = python(root, program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("scikit-learn is not installed; ") and "[cpu]" in done.stdout


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'PromptTuner'"):
        prompt_kit.PromptTuner  # noqa: B018


def test_the_default_engine_imports_no_other(root):
    """Though it is installed: OpenVINO would add a third of a second and tens of megabytes to each start."""
    pytest.importorskip("onnxruntime")
    program = BLOCK + (
        "import sys, tempfile; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from toy_bundle import write_toy_bundle\n"
        "from prompt_kit import Predictor\n"
        "folder = write_toy_bundle(Path(tempfile.mkdtemp()) / 'export')\n"
        "predictor = Predictor(folder, 'cpu')\n"
        "print(predictor.predict(['车'])[0].label, predictor.engine, 'openvino' in sys.modules)"
    )
    done = python(root, program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "car onnxruntime False\n", "")


def test_openvino_alone_is_enough(root):
    pytest.importorskip("openvino")
    program = BLOCK + (
        "sys.modules['onnxruntime'] = None\n"
        "import tempfile; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from toy_bundle import write_toy_bundle\n"
        "from prompt_kit import Predictor\n"
        "folder = write_toy_bundle(Path(tempfile.mkdtemp()) / 'export')\n"
        "print(Predictor(folder, engine='openvino').predict(['车'])[0].label)"
    )
    done = python(root, program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "car\n", "")


def test_infer_help_without_paddle(root):
    done = script(root, "infer.py", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--model_path_prefix" in done.stdout


@pytest.mark.parametrize("name", ["train.py", "export.py"])
def test_the_other_scripts_without_paddle_say_what_to_install(root, name):
    arguments = ["--do_train"] if name == "train.py" else []
    done = script(root, name, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name}: error: paddle is not installed; ") and "[cpu]" in done.stderr
    assert done.stderr.count("\n") == 1, "one line, no traceback"


def test_paddlenlp_alone_missing(root, tmp_path):
    (tmp_path / "paddle").mkdir()
    (tmp_path / "paddle" / "__init__.py").touch()
    program = "import sys; sys.modules['paddlenlp'] = None\n"
    done = script(root, "train.py", "--do_train", program=program, path=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("train.py: error: paddlenlp is not installed; ") and done.stderr.count("\n") == 1


def test_paddle_that_is_installed_but_broken(root, tmp_path):
    """As where libgomp.so.1 is missing from the system."""
    for name in ("paddle", "paddlenlp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "raise ImportError('libgomp.so.1: cannot open shared object file:\\nNo such file')", encoding="utf-8"
        )
    done = script(root, "train.py", "--do_train", program="import sys\n", path=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be imported (libgomp.so.1: cannot open shared object file: No such file)" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
