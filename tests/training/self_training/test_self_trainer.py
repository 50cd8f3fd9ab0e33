"""Self-training: which texts and labels are taken, what each generation is trained on, and that a kill changes nothing."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import paddle
import pytest
from runs import names, same, saved_weights, trainer, weights
from scripts import load_script
from tiny import EXAMPLES, LABELS, tiny_model

from prompt_kit.data.dataset import Example, read_dataset
from prompt_kit.errors import BundleError, CheckpointError, ConfigError, DataError
from prompt_kit.metrics import softmax
from prompt_kit.training.loop.batching import EncodedDataset
from prompt_kit.training.loop.prediction import predict_probabilities
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.pretraining.corpus import normalize
from prompt_kit.training.self_training import self_trainer as self_training
from prompt_kit.training.self_training.pseudo_labels import choose

# The last three are in dev.txt in another spelling, in test.txt, and here already.
TEXTS = [
    "今天汽车上市",
    "球队冠军",
    "股票大涨",
    "手机发布",
    "公司股票",
    "比赛今天",
    "一二三汽车",
    "体育球队",
    "财经公司",
]
UNFIT = ["今 天汽车\u3000发布", "手机", "球队  冠军"]
SHORT = (
    "--do_train --do_eval --max_steps 3 --eval_steps 1 --logging_steps 1 --per_device_train_batch_size 8 "
    "--learning_rate 4e-3 --ema_decay 0.3 --use_rdrop false --max_seq_length 32 --device cpu --report_to none"
)
TWO = "--pseudo_label_selection balanced --pseudo_labels_per_class 2"


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    path = tmp_path_factory.mktemp("unlabelled") / "texts.txt"
    path.write_text("\n".join([*TEXTS, *UNFIT]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def train(tiny_folder, tiny_data, unlabelled):
    """Run train.py's main on the tiny model, data and unlabelled texts."""
    main = load_script("train").main

    def call(flags: str, data=tiny_data, texts=unlabelled, model=tiny_folder):
        pool = f"--unlabeled_file {texts}" if texts else ""
        head = "" if "--verbalizer" in flags or "finetune" in flags or not model else "--verbalizer soft"
        model = f"--model_name_or_path {model}" if model else ""
        main(f"{SHORT} {pool} {model} {head} --data_dir {data} {flags}".split())

    return call


@pytest.fixture(scope="module")
def uninterrupted(train, tmp_path_factory):
    """Two generations after the first."""
    folder = tmp_path_factory.mktemp("self") / "run"
    train(f"--do_predict --num_generations 2 {TWO} --output_dir {folder}")
    return folder


def read(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def table(path) -> list:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


# -- a run ------------------------------------------------------------------------------------------------------------


def test_the_files_of_a_run(uninterrupted):
    assert names(uninterrupted) == [
        "README.md", "all_results.json", "config.json", "eval_results.json", "generation-0", "generation-1", "generation-2",
        "model.safetensors", "prompt_config.json", "pseudo_labels.tsv", "start", "test_bad_cases.tsv", "test_predictions.tsv",
        "test_results.json", "tokenizer.json", "train_results.json", "trainer_state.json",
    ]  # fmt: skip


def test_the_pseudo_labels(uninterrupted, tiny_data):
    header, *rows = table(uninterrupted / "pseudo_labels.tsv")
    assert header == ["text", "label", "probability", "generation"]
    held_out = {
        normalize(line.split("\t")[0])
        for split in ("train", "dev", "test")
        for line in (tiny_data / f"{split}.txt").read_text("utf-8").splitlines()
    }
    for generation in "12":
        taken = [row for row in rows if row[3] == generation]
        keys = [normalize(row[0]) for row in taken]
        assert (
            taken and len(set(keys)) == len(keys) and not held_out & set(keys) and {row[0] for row in taken} <= {*TEXTS}
        )
        for label in LABELS.labels:
            assert sum(row[1] == label for row in taken) <= 2


def test_a_generation_is_labelled_by_the_one_before(uninterrupted, tmp_path):
    """The best of the texts, as the model that generation-N's folder holds predicts them."""
    _, *rows = table(uninterrupted / "pseudo_labels.tsv")
    for generation in (1, 2):
        teacher = PromptModel.from_pretrained(uninterrupted / f"generation-{generation - 1}")
        probabilities = softmax(trainer(tmp_path, teacher).predict_logits([Example(text) for text in TEXTS]))
        expected = [
            (TEXTS[row], LABELS.labels[probabilities[row].argmax()], pytest.approx(probabilities[row].max(), abs=1e-5))
            for row in choose(probabilities, "balanced", 2, 0)
        ]
        assert [(row[0], row[1], float(row[2])) for row in rows if row[3] == str(generation)] == expected


def test_generation_0_is_the_plain_run(train, uninterrupted, tmp_path):
    train(f"--output_dir {tmp_path / 'plain'}", texts=None)
    assert same(saved_weights(tmp_path / "plain"), saved_weights(uninterrupted / "generation-0"))


def test_pseudo_labels_end_training_early(train, uninterrupted, tmp_path, monkeypatch):
    """Where the user does not say how long; the generation before them keeps its twenty epochs."""
    monkeypatch.setattr(self_training, "_STEPS", 15)
    longest = "--max_steps -1 --early_stopping_patience 30 --evaluation_strategy epoch"
    train(f"--pseudo_label_selection all {longest} --output_dir {tmp_path}")
    planned = [read(tmp_path / f"generation-{n}" / "trainer_state.json")["num_train_epochs"] for n in (0, 1)]
    texts = len(table(tmp_path / "pseudo_labels.tsv")) - 1
    steps = -(-(len(EXAMPLES) * 2 + texts) // 8)
    assert planned == [20, round(15 / steps)] and planned[1] > 2
    monkeypatch.setattr(self_training, "_STEPS", 1)
    train(f"--pseudo_label_selection all {longest} --teacher {tmp_path} --output_dir {tmp_path / 'taught'}")
    assert read(tmp_path / "taught" / "generation-1" / "trainer_state.json")["num_train_epochs"] == 2


def test_what_a_generation_learns(uninterrupted, tiny_data, tiny_folder, tmp_path):
    """Generation 1 starts from the pretrained weights; its targets are labels, and generation 0's probabilities."""
    texts = [Example(text) for text in TEXTS]
    teacher = trainer(tmp_path / "teacher", PromptModel.from_pretrained(uninterrupted / "generation-0"))
    probabilities = softmax(teacher.predict_logits(texts))
    rows = choose(probabilities, "balanced", 2, 0)
    data = read_dataset(tiny_data, LABELS, ["train", "dev"])
    model = PromptModel.build(LABELS, model_name_or_path=str(tiny_folder), max_seq_length=32, head="soft")
    ids = LABELS.label_to_id
    targets = [[float(ids[example.label] == i) for i in range(3)] for example in data.train]
    train = EncodedDataset(
        [*data.train, *(texts[row] for row in rows)],
        model.prompt_tokenizer,
        ids,
        np.concatenate([targets, probabilities[rows]]).astype("float32"),
    )
    run = trainer(
        tmp_path / "run", model, train, data.dev, max_steps=3, eval_steps=1, evaluation_strategy="steps",
        per_device_train_batch_size=8, learning_rate=4e-3, ema_decay=0.3,
    )  # fmt: skip
    run.train()
    assert same(weights(model), saved_weights(uninterrupted / "generation-1"))


def test_the_loss_of_probabilities_by_hand(tmp_path):
    """-(0.75 log p(car) + 0.25 log p(finance)); probabilities of 0 and 1 give the loss of the label."""
    run = trainer(tmp_path / "run", tiny_model(dropout=0.0), use_rgl=True, use_rdrop=True)
    items = [EXAMPLES[0], EXAMPLES[2]]
    log_p = np.log(softmax(run.predict_logits(items)))
    run.model.eval()

    def loss(targets=None):
        dataset = EncodedDataset(items, run.model.prompt_tokenizer, LABELS.label_to_id, targets)
        batch = run.data_collator([dataset[0], dataset[1]])
        return float(run.compute_loss(run.model, {name: paddle.to_tensor(array) for name, array in batch.items()}))

    soft = np.array([[0.75, 0.0, 0.25], [0.0, 0.0, 1.0]])
    assert loss(soft) == pytest.approx(-(0.75 * log_p[0, 0] + 0.25 * log_p[0, 2] + log_p[1, 2]) / 2, abs=1e-5)
    hard = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert loss(hard) == pytest.approx(loss(), abs=1e-5)
    run.model.train()
    assert loss(hard) == pytest.approx(loss(), abs=1e-5), "with R-Drop and RGL too"


def test_the_best_generation_is_the_model(uninterrupted):
    scores = [read(uninterrupted / f"generation-{n}" / "eval_results.json")["eval_accuracy"] for n in range(3)]
    best = max(range(3), key=lambda n: (scores[n], n))
    everything = read(uninterrupted / "all_results.json")
    assert everything["best_generation"] == best and everything["eval_accuracy"] == scores[best]
    assert [one["eval_accuracy"] for one in everything["generations"]] == scores
    assert everything["self_training"] == {"texts": 9, "selection": "balanced"}
    assert same(saved_weights(uninterrupted), saved_weights(uninterrupted / f"generation-{best}"))
    assert read(uninterrupted / "trainer_state.json") == read(
        uninterrupted / f"generation-{best}" / "trainer_state.json"
    )


def test_a_worse_generation_is_not_kept(train, tmp_path, monkeypatch):
    scores = iter([0.5, 0.25])

    def evaluate(self, *args, **kwargs):
        return {"eval_accuracy": next(scores, 0.5), "eval_loss": 1.0}

    monkeypatch.setattr(self_training.PromptTrainer, "evaluate", evaluate)
    train(f"--evaluation_strategy no --output_dir {tmp_path / 'run'}")
    assert read(tmp_path / "run" / "all_results.json")["best_generation"] == 0
    assert same(saved_weights(tmp_path / "run"), saved_weights(tmp_path / "run" / "generation-0"))


def test_a_threshold_that_nothing_reaches(train, tmp_path, caplog):
    folder = tmp_path / "run"
    train(f"--pseudo_label_selection confidence --pseudo_label_threshold 1 --output_dir {folder}")
    assert [message for message in caplog.messages if "no generation 1" in message]
    assert "generation-1" not in names(folder) and read(folder / "all_results.json")["best_generation"] == 0


@pytest.mark.parametrize(
    "flags",
    [
        "--method finetune",
        "--use_rdrop --use_rgl --num_shots 2",
        "--calibrate",
        "--verbalizer prototype",
        "--verbalizer cosine",
    ],
)
def test_with_other_methods_and_losses(train, tmp_path, flags):
    folder = tmp_path / "run"
    train(f"{flags} --output_dir {folder}")
    assert len(read(folder / "all_results.json")["generations"]) == 2
    before = saved_weights(folder)
    again = f"{flags} --output_dir {folder} --resume_from_checkpoint {folder}"
    train(again, model=None)
    assert same(saved_weights(folder), before)


# -- killed and gone on with ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_a_killed_run_goes_on(train, uninterrupted, tmp_path, monkeypatch, steps):
    """Killed in generation 0, behind it before generation 1 has a checkpoint, and in the last one."""
    folder = tmp_path / "run"
    flags = f"--do_predict --num_generations 2 {TWO} --output_dir {folder}"
    done = []
    step = self_training.PromptTrainer.training_step

    def training_step(self, *args):
        if len(done) == steps:
            raise Killed
        done.append(self.args.output_dir)
        return step(self, *args)

    monkeypatch.setattr(self_training.PromptTrainer, "training_step", training_step)
    with pytest.raises(Killed):
        train(flags)
    finished, steps = steps // 3, 100
    train(f"{flags} --resume_from_checkpoint {folder}", model=None)
    repeated = [done.count(str(folder / f"generation-{number}")) - 3 for number in range(finished)]
    assert repeated == [0] * finished
    assert same(saved_weights(folder), saved_weights(uninterrupted))
    for name in ("pseudo_labels.tsv", "test_predictions.tsv"):
        assert (folder / name).read_text("utf-8") == (uninterrupted / name).read_text("utf-8")


def test_one_generation_more(train, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    flags = f"{TWO} --output_dir {folder}"
    train(f"{flags} --num_generations 1")
    train(f"{flags} --num_generations 2 --resume_from_checkpoint {folder}", model=None)
    assert same(saved_weights(folder), saved_weights(uninterrupted))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (f"{TWO[:-1]}3", "--pseudo_labels_per_class 3 contradicts the run in .*, which has 2"),
        (f"{TWO} --seed 1", "--seed 1 contradicts the run in .*, which has 42"),
        (f"{TWO} --num_shots 1", "the examples to train on, .* contradicts the run in"),
    ],
)
def test_another_run_is_not_gone_on_with(train, uninterrupted, flags, message):
    with pytest.raises(CheckpointError, match=message):
        train(f"{flags} --output_dir {uninterrupted} --resume_from_checkpoint {uninterrupted}", model=None)


def test_other_texts_are_a_contradiction(train, uninterrupted, tmp_path):
    (tmp_path / "texts.txt").write_text("大涨公司\n", encoding="utf-8")
    flags = f"{TWO} --output_dir {uninterrupted} --resume_from_checkpoint {uninterrupted}"
    with pytest.raises(CheckpointError, match="the unlabelled texts, .* contradicts the run in"):
        train(flags, texts=tmp_path / "texts.txt", model=None)


def test_going_on_with_the_other_kind_of_run(train, uninterrupted, tmp_path):
    with pytest.raises(CheckpointError, match="holds a self-training run; give its --unlabeled_file again"):
        train(f"--output_dir {uninterrupted} --resume_from_checkpoint {uninterrupted}", texts=None, model=None)
    generation = uninterrupted / "generation-0"
    with pytest.raises(CheckpointError, match="goes on with a self-training run, expected its folder"):
        train(f"--output_dir {tmp_path / 'run'} --resume_from_checkpoint {generation}", model=None)


def test_overwriting_clears_every_generation(train, uninterrupted, tmp_path):
    folder = shutil.copytree(uninterrupted, tmp_path / "run")
    with pytest.raises(ConfigError, match="holds a run already"):
        train(f"--output_dir {folder}", texts=None)
    train(f"--overwrite_output_dir --max_steps 1 --output_dir {folder}", texts=None)
    assert not {"start", "pseudo_labels.tsv", "generation-0", "generation-1", "generation-2"} & {*names(folder)}


# -- teachers ---------------------------------------------------------------------------------------------------------


def test_teachers_label_in_place_of_generation_0(train, uninterrupted, tmp_path):
    """The mean of what they make of the texts; and with generation 0 as the teacher, its own run goes on."""
    teachers = [uninterrupted / f"generation-{number}" for number in (0, 2)]
    folder = tmp_path / "run"
    train(f"--teacher {teachers[0]} {teachers[1]} --output_dir {folder}")
    assert not (folder / "generation-0").exists()
    _, *rows = table(folder / "pseudo_labels.tsv")
    examples = [Example(text) for text in TEXTS]
    mean = sum(predict_probabilities(PromptModel.from_pretrained(one), examples) for one in teachers) / 2
    expected = [(LABELS.labels[row.argmax()], pytest.approx(row.max(), abs=1e-5)) for row in mean]
    assert [(row[1], float(row[2])) for row in rows] == expected
    assert same(saved_weights(folder), saved_weights(folder / "generation-1"))

    train(f"--teacher {teachers[0]} {TWO} --output_dir {tmp_path / 'alone'}")
    assert same(saved_weights(tmp_path / "alone"), saved_weights(uninterrupted / "generation-1"))


def test_teachers_of_several_seeds(train, uninterrupted, tmp_path, monkeypatch):
    """They are plain runs of seeds 42 and 43, and label as if they had been given; a kill among them changes nothing."""
    folder = tmp_path / "run"
    train(f"--num_teachers 2 --output_dir {folder}")
    assert not (folder / "generation-0").exists()
    assert same(saved_weights(folder / "teacher-0"), saved_weights(uninterrupted / "generation-0"))
    assert not same(saved_weights(folder / "teacher-1"), saved_weights(folder / "teacher-0"))
    train(f"--teacher {folder / 'teacher-0'} {folder / 'teacher-1'} --output_dir {tmp_path / 'given'}")
    assert same(saved_weights(tmp_path / "given"), saved_weights(folder))
    assert table(tmp_path / "given" / "pseudo_labels.tsv") == table(folder / "pseudo_labels.tsv")

    shutil.rmtree(folder / "generation-1")
    shutil.rmtree(folder / "teacher-1")
    train(f"--num_teachers 2 --output_dir {folder} --resume_from_checkpoint {folder}", model=None)
    assert same(saved_weights(tmp_path / "given"), saved_weights(folder))


def test_a_teacher_of_other_labels(train, tmp_path, uninterrupted):
    teacher = shutil.copytree(uninterrupted / "generation-0", tmp_path / "teacher")
    config = read(teacher / "prompt_config.json")
    entries = config["verbalizer"]["labels"]
    config["verbalizer"]["labels"] = dict(reversed(entries.items())) if isinstance(entries, dict) else entries[::-1]
    (teacher / "prompt_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BundleError, match="the labels must be the same in the same order"):
        train(f"--teacher {teacher} --output_dir {tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_teachers_that_are_sure_of_nothing(train, uninterrupted, tmp_path):
    flags = "--pseudo_label_selection confidence --pseudo_label_threshold 1"
    with pytest.raises(ConfigError, match="--pseudo_label_threshold 1.0: the teachers give no text a label"):
        train(f"--teacher {uninterrupted} {flags} --output_dir {tmp_path / 'run'}")
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--num_generations 0", "--num_generations must be at least 1, got 0"),
        (
            "--pseudo_label_selection balanced --pseudo_labels_per_class 0",
            "--pseudo_labels_per_class must be at least 1, got 0",
        ),
        ("--pseudo_labels_per_class 9", "--pseudo_labels_per_class 9 is for --pseudo_label_selection balanced; add"),
        (
            "--pseudo_label_selection confidence --pseudo_label_threshold 90",
            "--pseudo_label_threshold must be above 0 and at most 1, got 90",
        ),
        ("--do_eval no", "add --do_train --do_eval"),
        ("--do_train no", "add --do_train --do_eval"),
        ("--unlabeled_file None --num_generations 2", "--num_generations 2 is for self-training; add --unlabeled_file"),
        ("--unlabeled_file None --teacher a b", "--teacher a b is for self-training; add --unlabeled_file"),
        ("--teacher a --num_teachers 2", "--teacher a contradicts --num_teachers 2"),
        ("--teacher /no/model", "--teacher /no/model: "),
        ("--unlabeled_file /no/texts.txt", "/no/texts.txt: no such file"),
    ],
)
def test_settings_that_cannot_be(train, tmp_path, flags, message):
    with pytest.raises((ConfigError, DataError), match=message):
        train(f"{flags} --output_dir {tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_the_model_that_labels_the_texts_is_started_from_them(train, unlabelled, tmp_path, monkeypatch):
    """Generation 0's cosine head reads the texts and the examples; the next ones learn from their labels."""
    read_texts, starts = [], []
    real, start = PromptModel.start_from_texts, PromptModel.start_from_examples

    def watched(self, texts, *rest):
        read_texts.append(list(texts))
        real(self, texts, *rest)

    def counted(self, features, labels, *rest):
        starts.append((len(self._texts), len(features)))
        start(self, features, labels, *rest)

    monkeypatch.setattr(PromptModel, "start_from_texts", watched)
    monkeypatch.setattr(PromptModel, "start_from_examples", counted)
    train(f"--verbalizer cosine --output_dir {tmp_path / 'out'}")
    assert read_texts == [TEXTS]
    few = starts[0][1]
    assert starts == [(len(TEXTS), few), (0, few + len(TEXTS))]
