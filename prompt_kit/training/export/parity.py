"""Is the exported graph the same function as the model? Batches to ask both, and the comparison of their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from prompt_kit.data.dataset import Example, read_dataset
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, collate
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.verbalizer import Verbalizer

TOLERANCE = 1e-4  # absolute plus relative
# fp16 keeps 11 bits, and a dozen layers add up; a wrong conversion (an overflow, a lost mask) is far beyond this
FP16_TOLERANCE = 3e-2

Batches = Sequence[dict[str, np.ndarray]]
Decisions = Callable[[np.ndarray], np.ndarray]  # label logits [N, C] -> bool [N, C], the labels that are answered

CALIBRATION_BATCHES = 8  # of _BATCH texts
_BATCH, _TEXTS = 16, 4096
_PIECES = 200


def probe_batches(prompt_tokenizer: PromptTokenizer) -> list[dict[str, np.ndarray]]:
    """Batches of 1 and 3 texts: short, of mixed lengths, and as long as the model takes."""
    room = prompt_tokenizer.max_seq_length - prompt_tokenizer.num_prompt_tokens
    pieces = _exact_pieces(prompt_tokenizer)
    rng = np.random.default_rng(0)

    def features(length: int):
        words = [pieces[i] for i in rng.integers(len(pieces), size=length)]
        fields = prompt_tokenizer.template.fields
        part = max(1, length // len(fields))
        texts = {name: " ".join(words[i * part : (i + 1) * part]) for i, name in enumerate(fields)}
        return prompt_tokenizer.encode(Example(**{"text_a": "", **texts}))

    short, middle = 1, max(1, room // 2)
    lengths = [[short], [middle], [room], [short] * 3, [short, middle, room], [room] * 3]
    pad_id = prompt_tokenizer.tokenizer.pad_id
    return [collate([features(length) for length in batch], pad_id) for batch in lengths]


def text_batches(
    data_dir: PathLike, verbalizer: Verbalizer, prompt_tokenizer: PromptTokenizer, task: Task
) -> list[dict[str, np.ndarray]]:
    """Batches of 16 texts in random order, 4,096 at most: of dev.txt, and of test.txt and data.txt if they are there.

    Raises DataError for a mistake in them.
    """
    line_format = task.line_format("text_b" in prompt_tokenizer.template.fields)
    data = read_dataset(data_dir, verbalizer, ("dev", "test", "data"), line_format=line_format)
    found = [*(data.dev or ()), *(data.test or ()), *(data.unlabelled or ())]
    texts = [Example(one) if isinstance(one, str) else Example(one.text_a, text_b=one.text_b) for one in found]
    texts = list(dict.fromkeys(texts))
    chosen = np.random.default_rng(0).permutation(len(texts))[:_TEXTS]
    features = prompt_tokenizer.encode_many([texts[place] for place in chosen])
    pad_id = prompt_tokenizer.tokenizer.pad_id
    return [collate(features[start : start + _BATCH], pad_id) for start in range(0, len(features), _BATCH)]


def compare_labels(
    expected: Sequence[np.ndarray], actual: Sequence[np.ndarray], decisions: Decisions
) -> tuple[float, float]:
    """(largest |difference| of a logit, share of rows with the same answer) of two lists of logits [B, C]."""
    wanted, got = np.concatenate(expected), np.concatenate(actual)
    same = (decisions(wanted) == decisions(got)).all(axis=1)
    return float(np.abs(wanted - got).max()), float(same.mean())


def _exact_pieces(prompt_tokenizer: PromptTokenizer) -> list[str]:
    """Word pieces that are one token as a text, so that a text of n of them has n tokens."""
    tokenizer = prompt_tokenizer.tokenizer
    order = np.random.default_rng(0).permutation(tokenizer.vocab_size)
    pieces: list[str] = []
    for number in order.tolist():
        piece = tokenizer.id_to_token(number)
        if piece and tokenizer.encode(piece) == [number]:
            pieces.append(piece)
        if len(pieces) == _PIECES:
            break
    if not pieces:
        raise BundleError("the vocabulary has no word that is one token, so the exported model cannot be checked")
    return pieces


def largest_difference_of_states(
    expected: Sequence[np.ndarray], actual: Sequence[np.ndarray], tolerance: float, what: str
) -> float:
    """The largest |difference| between two lists of unit states [B, D]; BundleError when it exceeds `tolerance`."""
    worst = float(np.max([np.abs(wanted - got).max() for wanted, got in zip(expected, actual)]))
    if not worst <= tolerance:  # as of what is no number
        raise BundleError(
            f"{what}: states differ from the model's by {worst:.2g}, more than {tolerance:.2g}; nothing was written"
        )
    return worst


def largest_difference(
    expected: Sequence[np.ndarray], actual: Sequence[np.ndarray], tolerance: float, what: str, near_ties: bool = False
) -> float:
    """The largest |difference| between two lists of logits [B, C].

    Raises BundleError when a difference exceeds `tolerance` (absolute plus relative) or a best label differs. With
    `near_ties` the tolerance is relative to the largest logit of all, and the best label may differ where the two best are
    within it of each other.
    """
    worst, largest = 0.0, max(float(np.abs(wanted).max()) for wanted in expected)
    for wanted, got in zip(expected, actual):
        if wanted.shape != got.shape:
            raise BundleError(f"{what}: expected logits of shape {list(wanted.shape)}, got {list(got.shape)}")
        # half precision rounds what a logit is a difference of, which may be much larger than the logit
        allowed = tolerance * (1 + np.maximum(np.abs(wanted), largest if near_ties else 0.0))
        difference = np.abs(wanted.astype(np.float64) - got)
        worst = max(worst, float(difference.max())) if np.isfinite(difference).all() else float("inf")
        if not (difference <= allowed).all():
            raise BundleError(
                f"{what}: logits differ from the model's by {difference.max():.2g}, more than {tolerance:.2g} "
                f"(absolute plus relative), for a batch of {len(wanted)}; nothing was written"
            )
        best = np.sort(wanted, axis=1)
        tied = best[:, -1] - best[:, -2] <= 2 * allowed.max(axis=1)
        flipped = wanted.argmax(axis=1) != got.argmax(axis=1)
        if (flipped & ~tied if near_ties else flipped).any():
            raise BundleError(f"{what}: the best label differs from the model's; nothing was written")
    return worst
