#!/usr/bin/env python
"""What variants of training lines are worth to the cosine head before the first training step.

    python benchmarks/augmentation.py --data_dir data/fewclue_tnews --output_file augmentation.json

For each number of examples a class and each seed, the head of the default model is started from the drawn examples, and from
these and their variants; both are tried on all of test.txt, which is encoded once. With data.txt in the folder it is done
twice, without its texts and with them.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="folder with label.txt, train.txt, test.txt, and data.txt")
    parser.add_argument("--output_file", default="augmentation.json", help="where every run goes")
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--augment", nargs="+", type=int, default=[2], help="variants of each line")
    parser.add_argument("--model_name_or_path", default="mini_zh")
    parser.add_argument("--max_seq_length", type=int, default=128)
    return parser


def main(argv=None) -> None:
    args = build_parser().parse_args(argv)

    import numpy as np
    import paddle

    from prompt_kit.data.dataset import Dataset, Example, read_dataset, sample_few_shot
    from prompt_kit.prompt.neutral_templates import NEUTRAL_TEMPLATES
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.augmentation.augment import make_variants, without_near_duplicates
    from prompt_kit.training.augmentation.variants import WordGuesser
    from prompt_kit.training.models.backbone import load_backbone
    from prompt_kit.training.models.prompt_model import PromptModel
    from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel

    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    dataset: Dataset = read_dataset(args.data_dir, verbalizer, ("train", "dev", "test", "data"))
    judged = [example.text_a for example in [*(dataset.dev or []), *dataset.test]]
    backbone = load_backbone(args.model_name_or_path)
    guesser = WordGuesser(MaskedLanguageModel(backbone.model, backbone.tokenizer), args.max_seq_length)
    model = PromptModel.build(
        verbalizer, NEUTRAL_TEMPLATES[0], args.model_name_or_path, max_seq_length=args.max_seq_length
    )
    model.eval()
    gold = np.array([verbalizer.label_to_id[example.label] for example in dataset.test])
    states = model.mask_states(model.prompt_tokenizer.encode_many(dataset.test))
    states = paddle.to_tensor(states.reshape([len(states), model.prompt_tokenizer.num_masks, -1]))

    def accuracy(examples: list[Example]) -> float:
        labels = np.array([verbalizer.label_to_id[example.label] for example in examples])
        model.start_from_examples(model.prompt_tokenizer.encode_many(examples), labels)
        with paddle.no_grad():
            return float((model.head(states).numpy().argmax(axis=1) == gold).mean())

    def draw(shots: int, seed: int) -> list[Example]:
        return sample_few_shot(dataset.train, shots, seed, verbalizer.labels)

    @cache
    def variants_of(shots: int, seed: int, count: int) -> list[Example]:
        made = make_variants(draw(shots, seed), verbalizer, count, seed, guesser) if count else []
        return [Example(one.text, one.label) for one in without_near_duplicates(made, judged)]

    runs = []
    for texts in (False, True) if dataset.unlabelled else (False,):
        if texts:
            model.start_from_texts(dataset.unlabelled)
        for shots, seed, count in product(args.shots, args.seeds, [0, *args.augment]):
            more = variants_of(shots, seed, count)
            row = {"data_txt": texts, "shots": shots, "seed": seed, "augment": count, "variants": len(more)}
            runs.append({**row, "test_accuracy": accuracy([*draw(shots, seed), *more])})
            print(json.dumps(runs[-1]), flush=True)
    Path(args.output_file).write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
