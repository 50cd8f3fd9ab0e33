"""The peer: the installed `paddlenlp.prompt`, with its own template, SoftVerbalizer, PromptTrainer, collator and losses.

What had to be worked around to run it at all: its soft encoders do not run on Paddle 3, so it gets the same words as a
hard prompt. Nothing of it is patched.

As a program it trains on a data folder, and keeps the predictions of the epoch that was best on dev:

    python benchmarks/peer.py --data_dir data/tnews --model prompt_kit/models/mini_zh --output peer.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

PROMPT = "这条新闻标题的主题是"


def make_trainer(model: str, prompt: str, verbalizer, examples, **settings):
    """paddlenlp.prompt's PromptTrainer for Examples; `settings` are its PromptTuningArguments."""
    import paddle
    from paddlenlp.prompt import (
        AutoTemplate,
        PromptModelForSequenceClassification,
        PromptTrainer,
        PromptTuningArguments,
        SoftVerbalizer,
    )
    from paddlenlp.transformers import ErnieForMaskedLM, ErnieTokenizer

    tokenizer = ErnieTokenizer.from_pretrained(model)
    plm = ErnieForMaskedLM.from_pretrained(model)
    template = AutoTemplate.create_from(
        f"{{'text': 'text_a'}}{{'hard': '{prompt}'}}{{'mask'}}", tokenizer, 128, model=plm
    )
    words = {index: words[0] for index, words in enumerate(verbalizer.words)}
    soft_verbalizer = SoftVerbalizer(words, tokenizer, plm)
    return PromptTrainer(
        model=PromptModelForSequenceClassification(plm, template, soft_verbalizer),
        tokenizer=tokenizer,
        criterion=paddle.nn.CrossEntropyLoss(),
        args=PromptTuningArguments(output_dir=tempfile.mkdtemp(), device="cpu", report_to=[], **settings),
        train_dataset=as_dataset(examples, verbalizer),
    )


def as_dataset(examples, verbalizer):
    from paddlenlp.datasets import MapDataset

    return MapDataset([{"text_a": each.text_a, "labels": verbalizer.label_to_id[each.label]} for each in examples])


def main(argv=None):
    args = parse(argv)
    import prompt_kit.training.runtime  # noqa: F401, isort: skip: threads, before paddle
    from paddlenlp.trainer import set_seed

    from prompt_kit.data.dataset import read_dataset, sample_few_shot
    from prompt_kit.prompt.verbalizer import Verbalizer

    begin = time.time()
    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    data = read_dataset(args.data_dir, verbalizer, ["train", "dev", "test"])
    examples = data.train
    if args.num_shots:
        examples = sample_few_shot(examples, args.num_shots, args.seed, verbalizer.labels)
    set_seed(args.seed)
    trainer = make_trainer(
        args.model, args.prompt, verbalizer, examples,
        seed=args.seed, per_device_train_batch_size=args.batch_size, max_steps=args.max_steps,
        learning_rate=args.learning_rate, ppt_learning_rate=args.ppt_learning_rate, use_rdrop=args.use_rdrop,
    )  # fmt: skip
    gold = {split: [verbalizer.label_to_id[one.label] for one in getattr(data, split)] for split in ("dev", "test")}
    loaders = {split: trainer.get_eval_dataloader(as_dataset(getattr(data, split), verbalizer)) for split in gold}
    best: dict = {"dev": -1.0}
    weights: dict = {}
    for step in train(trainer, args.max_steps):
        if step % args.eval_steps and step != args.max_steps:
            continue
        dev = accuracy(trainer.model, loaders["dev"], gold["dev"])
        if dev > best["dev"]:
            best = {"dev": dev, "step": step}
            weights = {name: parameter.numpy().copy() for name, parameter in trainer.model.named_parameters()}
            print(f"step {step}: dev {dev:.4f} (best so far)", file=sys.stderr)
    for name, parameter in trainer.model.named_parameters():
        parameter.set_value(weights[name])
    best["test"] = accuracy(trainer.model, loaders["test"], gold["test"])
    Path(args.output).write_text(json.dumps({**best, "seconds": time.time() - begin}) + "\n", encoding="utf-8")


def train(trainer, steps: int):
    """The Trainer's inner loop, without its evaluation, which crashes when it is run twice on one dataset."""
    trainer.create_optimizer_and_scheduler(num_training_steps=steps)
    step = 0
    while step < steps:
        for batch in trainer.get_train_dataloader():
            trainer.model.train()
            trainer.training_step(trainer.model, batch)
            trainer.optimizer.step()
            trainer.lr_scheduler.step()
            trainer.optimizer.clear_grad()
            step += 1
            yield step
            if step == steps:
                return


def accuracy(model, loader, gold: list) -> float:
    import paddle

    model.eval()
    predicted: list = []
    with paddle.no_grad():
        for batch in loader:
            batch.pop("labels")
            output = model(**batch)
            logits = output[0] if isinstance(output, tuple) else output
            predicted += logits.argmax(axis=-1).tolist()
    return sum(one == other for one, other in zip(predicted, gold)) / len(gold)


def parse(argv):
    parser = ArgumentParser(prog="peer.py", description=__doc__)
    parser.add_argument("--data_dir", default="data/tnews", help="folder with train.txt, dev.txt, test.txt, label.txt")
    parser.add_argument("--model", default=str(ROOT / "prompt_kit" / "models" / "mini_zh"), help="an ERNIE's folder")
    parser.add_argument("--prompt", default=PROMPT, help="hard words behind the text")
    parser.add_argument("--num_shots", type=int, help="examples a class, drawn as train.py does")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--max_steps", type=int, default=300)
    parser.add_argument("--eval_steps", type=int, default=15)
    parser.add_argument("--learning_rate", type=float, default=3e-5)
    parser.add_argument("--ppt_learning_rate", type=float, default=3e-4)
    parser.add_argument("--use_rdrop", action="store_true")
    parser.add_argument("--output", required=True, help="write the result as JSON")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
