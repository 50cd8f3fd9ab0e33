#!/usr/bin/env python
"""The last step of the embedded model, mini_zh: what belongs together is to lie together.

    texts="--headlines headlines.txt.gz --passages passages.txt.gz --reviews general.txt.gz"
    kept="--kept general.txt.gz titles.txt.gz headlines.txt.gz --bfloat16"
    python tools/pair_mini_zh.py --start_from mini_zh $texts $kept --output_dir mixed
    python tools/pair_mini_zh.py --start_from mini_zh $texts $kept --shares 1 0 0 --pairs 64 --steps 400 \
        --learning_rate 1e-4 --average_with mixed --output_dir paired

A sentence encoder that was taught on half the world's languages knows little of who plays in which series, or what a
magazine of cars writes about. Texts say it of each other without any label. Each batch is 80 pairs of one of three kinds:

- a headline and some of the keywords behind it (`headline word，word`), those first that the headline does not say;
- a sentence of a passage and the rest of it (inverse cloze task, Lee et al., ACL 2019, arXiv:1906.00300);
- the beginning of a review, up to one of its commas, and its end.

Both go through the same template, and among the batch each is to find its other by the cosine of the centred mask states
(InfoNCE, van den Oord et al., 2018, arXiv:1807.03748). So that nothing else is lost, the model of before is the teacher
of these and of 48 other texts: the mask states stay near its own, and the cosines among them are its cosines (Li &
Hoiem, Learning without Forgetting, ECCV 2016; Park et al., Relational Knowledge Distillation, CVPR 2019).
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_mini_zh import TEMPLATES, Batch, Student, Tokenizer, go_on, keep_share, read, write  # noqa: E402

LONGEST, TEMPERATURE = 64, 0.1  # tokens of a text; of the softmax over cosines
_SENTENCE = re.compile("(?<=[。！？；!?])")
_CLAUSE = re.compile("[，。！？；,!?;~ …]+")


class Keywords:
    """Headlines and their keywords, from lines `headline word，word，word`."""

    def __init__(self, lines: list[str]):
        self.rows = []
        for line in lines:
            headline, _, words = line.rpartition(" ")
            keywords = [word for word in words.split("，") if word]
            if len(headline) >= 6 and len(keywords) >= 2:
                self.rows.append((headline, keywords))

    def pair(self, row: int, random: np.random.Generator) -> tuple[str, str]:
        headline, keywords = self.rows[row]
        keywords = list(random.permutation(np.array(keywords, object)))
        new = [word for word in keywords if word not in headline]
        return headline, "，".join((new or keywords)[: random.integers(1, 4)])


class Passages:
    """A sentence of a passage and its other sentences."""

    def __init__(self, lines: list[str]):
        parts = ([one for one in _SENTENCE.split(line) if len(one) >= 8] for line in lines)
        self.rows = [sentences for sentences in parts if len(sentences) >= 2]

    def pair(self, row: int, random: np.random.Generator) -> tuple[str, str]:
        sentences = self.rows[row]
        place = random.integers(len(sentences))
        return sentences[place][:40], "".join(sentences[:place] + sentences[place + 1 :])[:40]


class Reviews:
    """The clauses of a short text up to one of them, and those behind it."""

    def __init__(self, lines: list[str]):
        parts = ([one for one in _CLAUSE.split(line) if len(one) >= 2] for line in lines if len(line) >= 20)
        self.rows = [clauses for clauses in parts if len(clauses) >= 4]

    def pair(self, row: int, random: np.random.Generator) -> tuple[str, str]:
        clauses = self.rows[row]
        place = random.integers(1, len(clauses))
        return "，".join(clauses[:place])[:40], "，".join(clauses[place:])[:40]


def mask_states(student: Student, tokenizer: Tokenizer, texts: list[str], before: str, behind: str) -> torch.Tensor:
    """[N, M H]: the transformed states at the masks of `before` text `behind`, in which _ is a mask."""
    head, tail = (Batch.tokens(tokenizer, part) for part in (before, behind))
    rows = [[tokenizer.cls_id, *head, *tokenizer.encode(text)[:LONGEST], *tail, tokenizer.sep_id] for text in texts]
    ids = np.full((len(rows), max(map(len, rows))), tokenizer.pad_id)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    columns = torch.tensor([[at for at, one in enumerate(row) if one == tokenizer.mask_id] for row in rows])
    tokens = torch.from_numpy(ids)
    states = student(tokens, tokens != tokenizer.pad_id)
    return student.transform(states[torch.arange(len(rows))[:, None], columns]).float().flatten(1)


def cosines(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """[N, N], each [N, D] centred on its own mean, over the temperature."""
    ours, theirs = (F.normalize(one - one.mean(0), dim=1) for one in (ours, theirs))
    return ours @ theirs.T / TEMPERATURE


def losses(first: torch.Tensor, second: torch.Tensor, other: torch.Tensor, before: torch.Tensor) -> list[torch.Tensor]:
    """[pairs, relations, distance] of B pairs [B, D] each and O other texts [O, D].

    Args:
        before: [B + O, D] what the model of before makes of the first texts and of the others.
    """
    found, wanted = cosines(first, second), torch.arange(len(first))
    pairs = (F.cross_entropy(found, wanted) + F.cross_entropy(found.T, wanted)) / 2
    now = torch.cat([first, other])
    itself = torch.eye(len(now), dtype=torch.bool)
    ours, theirs = (cosines(one, one).masked_fill(itself, -1e4) for one in (now, before))
    relations = F.kl_div(F.log_softmax(ours, 1), F.softmax(theirs, 1), reduction="batchmean")
    return [pairs, relations, 3 * (1 - F.cosine_similarity(now, before).mean())]


def train(args: argparse.Namespace, tokenizer: Tokenizer, student: Student) -> None:
    random = np.random.default_rng(args.seed)
    templates = [(before, behind) for _, before, behind in TEMPLATES if "_" in before + behind]
    shares = np.array([share for share, before, behind in TEMPLATES if "_" in before + behind])
    kinds = [Keywords(read(args.headlines)), Passages(read(args.passages)), Reviews(read(args.reviews))]
    kept = [line[:60] for line in read(args.kept)]
    print("pairs:", *(f"{type(kind).__name__.lower()} {len(kind.rows)}" for kind in kinds), file=sys.stderr)
    teacher = copy.deepcopy(student)
    optimizer = torch.optim.AdamW(student.parameters(), lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    begun, shown = time.time(), np.zeros(3)
    for step in range(args.steps):
        for group in optimizer.param_groups:  # it rises, stays, and falls over the second half
            group["lr"] = args.learning_rate * min(1, (step + 1) / 50, max(0.02, 2 - 2 * step / args.steps))
        template = templates[random.choice(len(templates), p=shares / shares.sum())]
        kind = kinds[random.choice(3, p=args.shares)]
        rows = random.choice(len(kind.rows), args.pairs, replace=False)
        first, second = map(list, zip(*(kind.pair(row, random) for row in rows)))
        other = [kept[row] for row in random.choice(len(kept), args.others, replace=False)]
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            states = mask_states(student, tokenizer, first + second + other, *template)
            with torch.no_grad():
                before = mask_states(teacher, tokenizer, first + other, *template)
        terms = losses(*states.split([args.pairs, args.pairs, args.others]), before)
        optimizer.zero_grad()
        sum(terms).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        shown += [float(term.detach()) / 50 for term in terms]
        if (step + 1) % 50 == 0:
            values = ", ".join(f"{name} {value:.4f}" for name, value in zip(("pairs", "relations", "distance"), shown))
            print(f"step {step + 1}: {values}; {time.time() - begun:.0f} s", file=sys.stderr, flush=True)
            shown[:] = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--start_from", type=Path, required=True, help="a folder that make_mini_zh.py wrote")
    add("--headlines", type=Path, nargs="+", required=True, help="lines, some of which are `headline word，word`")
    add("--passages", type=Path, nargs="+", required=True, help="lines of several sentences")
    add("--reviews", type=Path, nargs="+", required=True, help="lines of several clauses")
    add("--kept", type=Path, nargs="+", required=True, help="lines of all kinds, of which nothing shall be lost")
    add("--output_dir", type=Path, required=True)
    add("--average_with", type=Path, help="a folder of another run, whose weights are averaged with this run's")
    add("--average_share", type=float, default=0.25, help="the share of that run (default: 0.25)")
    add("--shares", type=float, nargs=3, default=[0.6, 0.2, 0.2], help="of the kinds of pairs (default: 0.6 0.2 0.2)")
    add("--pairs", type=int, default=80, help="of a batch (default: 80)")
    add("--others", type=int, default=48, help="other texts of a batch (default: 48)")
    add("--steps", type=int, default=600)
    add("--learning_rate", type=float, default=2e-4)
    add("--bfloat16", action="store_true", help="where the processor multiplies bfloat16 itself")
    add("--seed", type=int, default=0)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    tokenizer, student = Tokenizer.from_pretrained(args.start_from), go_on(args.start_from)
    train(args, tokenizer, student)
    if args.average_with:
        keep_share(student, args.average_with, args.average_share)
    write(student, tokenizer, args.output_dir)


if __name__ == "__main__":
    main()
