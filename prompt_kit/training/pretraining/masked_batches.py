"""Masked lines in batches of about one length: which lines, with which words hidden, is a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import paddle

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker


class LengthBatchSampler(paddle.io.DistributedBatchSampler):
    """Batches of (epoch, line) of about one length, `tokens` at most with [CLS], [SEP] and padding.

    Lines of one length are shuffled, and so are the batches, by the seed and the epoch alone. Every line comes once an
    epoch; there are as many batches in each, a multiple of `num_replicas * accumulation`.

    Args:
        lengths: of the lines, in tokens.
        tokens: of the largest batch; a line that is longer is a batch by itself.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        tokens: int,
        seed: int,
        num_replicas: int = 1,
        rank: int = 0,
        accumulation: int = 1,
    ):
        self.lengths = np.asarray(lengths) + 2
        self.seed, self.num_replicas, self.rank, self.epoch = seed, num_replicas, rank, 0
        by_length = np.sort(self.lengths)
        sizes, start = [], 0
        while start < len(by_length):
            end = start + 1
            while end < len(by_length) and by_length[end] * (end + 1 - start) <= tokens:
                end += 1
            sizes.append(end - start)
            start = end
        while len(sizes) % (num_replicas * accumulation):
            largest = int(np.argmax(sizes))
            if sizes[largest] == 1:
                raise ConfigError(
                    f"{len(by_length)} lines cannot fill {num_replicas} process(es) x {accumulation} accumulated batches; "
                    "lower --gradient_accumulation_steps or use fewer devices"
                )
            sizes[largest : largest + 1] = [sizes[largest] - sizes[largest] // 2, sizes[largest] // 2]
        self.ends = np.cumsum(sizes)

    def __len__(self) -> int:
        return len(self.ends) // self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = np.lexsort((random.random(len(self.lengths)), self.lengths))
        batches = np.split(order, self.ends[:-1])
        for number in random.permutation(len(batches))[self.rank :: self.num_replicas]:
            yield [(self.epoch, int(line)) for line in batches[number]]


class MaskedLines(paddle.io.Dataset):
    """`self[epoch, line]` is (ids with words hidden, hidden places, what was there); a function of the seed and these two."""

    def __init__(self, lines: EncodedLines, masker: WholeWordMasker, seed: int):
        super().__init__()
        self.lines, self.masker, self.seed = lines, masker, seed

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, item: tuple[int, int]):
        ids, words = self.lines[item[1]]
        hidden, places = self.masker(ids, words, (self.seed, *item))
        return hidden, places, ids[places]


class MaskedCollator:
    """Items of MaskedLines -> the inputs of MaskedLanguageModel and `targets` [N], int64.

    `before` and `behind`: token ids around every line.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.pad_id, self.cls_id, self.sep_id = tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id

    def __call__(self, items, before: Sequence[int] = (), behind: Sequence[int] = ()) -> dict[str, np.ndarray]:
        length = 2 + len(before) + len(behind) + max(len(ids) for ids, _, _ in items)
        most = max(len(places) for _, places, _ in items)
        input_ids = np.full((len(items), length), self.pad_id, dtype="int64")
        columns = np.zeros((len(items), most), dtype="int64")
        rows = []
        for number, (ids, places, _) in enumerate(items):
            input_ids[number, 0] = self.cls_id
            row = [*before, *ids, *behind, self.sep_id]
            input_ids[number, 1 : 1 + len(row)] = row
            columns[number, : len(places)] = places + 1 + len(before)
            rows.append(number * most + np.arange(len(places)))
        return {
            "input_ids": input_ids,
            "columns": columns,
            "rows": np.concatenate(rows).astype("int64"),
            "targets": np.concatenate([targets for _, _, targets in items]).astype("int64"),
        }
