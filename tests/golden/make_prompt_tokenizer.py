"""Make tests/golden/prompt_tokenizer.json with PaddleNLP: python tests/golden/make_prompt_tokenizer.py path/to/mini_zh

Only cases where PaddleNLP is right are kept; tests/test_prompt_tokenizer.py has the others by hand, and says why.
The ids of every part of a template are stored too, so that the test needs no vocabulary.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import paddle
from paddlenlp.prompt import ManualTemplate, SoftTemplate
from paddlenlp.transformers import ErnieTokenizer

HEADLINE = "国足世预赛12强赛不敌日本队，主教练赛后宣布辞职"
SHORT = "股市今日大涨"
SEP_AND_TYPE = "{'text': 'text_a'}{'sep'}{'hard': '主题', 'token_type': 1}{'mask', 'token_type': 0}"
TWO_TEXTS = "{'text': 'text_a'}{'sep'}{'text': 'text_b', 'token_type': 1}{'mask': None, 'token_type': 0}"
SHARED = "{'soft': '主题', 'soft_id': 1}{'text': 'text_a'}{'soft'}{'soft_id': 1}{'mask'}"

# name, template, max_seq_length, text_a, text_b
CASES = [
    ("one mask", "{'text': 'text_a'}这条新闻的主题是{'mask'}", 64, HEADLINE, None),
    ("mask first", "{'mask'}新闻：{'text': 'text_a'}", 64, HEADLINE, None),
    ("two masks in a row", "{'text': 'text_a'}主题是{'mask': None, 'length': 2}。", 64, HEADLINE, None),
    ("two masks apart", "主题是{'mask'}，{'text': 'text_a'}，也是{'mask'}", 64, SHORT, None),
    ("text exactly fits", "{'text': 'text_a'}是{'mask'}", 10, SHORT, None),
    ("tail is cut", "{'text': 'text_a'}这条新闻的主题是{'mask'}", 20, HEADLINE, None),
    ("text before and after the mask is cut", "是{'mask'}：{'text': 'text_a'}吗", 12, HEADLINE, None),
    ("sep and token type", SEP_AND_TYPE, 64, SHORT, None),
    ("two texts", TWO_TEXTS, 64, SHORT, HEADLINE),
    ("two texts, the longer is cut", "{'text': 'text_a'}{'sep'}{'text': 'text_b'}{'mask'}", 20, SHORT, HEADLINE),
    ("two long texts share the room", "{'text': 'text_a'}和{'text': 'text_b'}{'mask'}", 20, HEADLINE, HEADLINE),
    ("the same text twice", "{'text': 'text_a'}{'mask'}{'text': 'text_a'}", 64, SHORT, None),
    ("a text that is not cut", "{'text': 'text_a', 'truncate': False}{'mask'}{'text': 'text_b'}", 16, SHORT, HEADLINE),
    ("Latin and digits", "{'text': 'text_a'}是{'mask'}", 64, "iPhone 15 Pro 发布：5G 芯片", None),
    ("soft words", "{'text': 'text_a'}{'soft': '主题是'}{'mask'}", 64, SHORT, None),
    ("soft without words", "{'soft'}{'text': 'text_a'}{'soft': None, 'length': 3}{'mask'}", 64, SHORT, None),
    ("soft words, longer length", "{'text': 'text_a'}{'soft': '主题', 'length': 4}{'mask'}", 64, SHORT, None),
    ("shared soft vectors", SHARED, 64, SHORT, None),
    ("soft and cut", "{'text': 'text_a'}{'soft': '主题是'}{'mask'}", 12, HEADLINE, None),
]  # fmt: skip


def peer_parts(source: str) -> list[dict]:
    """PaddleNLP's own reading; {'mask', 'length': 2}, which it cannot read, is spelled out for it."""
    return ManualTemplate.parse_template_string(source.replace("{'mask', ", "{'mask': None, "))


def peer_features(source: str, max_seq_length: int, example: dict[str, str], tokenizer: ErnieTokenizer) -> dict:
    """What PaddleNLP makes of one example. At a soft position its input id is not a word's, so None is stored."""
    parts = peer_parts(source)
    if any("soft" in part or "soft_id" in part for part in parts):
        embedding = paddle.nn.Embedding(tokenizer.vocab_size, 2)
        template = SoftTemplate(parts, tokenizer, max_seq_length, embedding)
        soft = True
    else:
        template = ManualTemplate(parts, tokenizer, max_seq_length)
        soft = False
    made = template(example)
    soft_ids = [int(one) for one in made["soft_token_ids"]] if soft else None
    ids = [None if soft and number else one for one, number in zip(made["input_ids"], soft_ids or made["input_ids"])]
    return {
        "input_ids": ids,
        "token_type_ids": made["token_type_ids"],
        "mask_columns": made["masked_positions"],
        "soft_ids": soft_ids,
    }


def main(folder: str) -> None:
    tokenizer = ErnieTokenizer.from_pretrained(folder)  # built directly it would not know [MASK] in a string
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep", "mask", "unk")}
    pieces: dict[str, list[int]] = {}
    cases = []
    for name, source, max_seq_length, text_a, text_b in CASES:
        example = {"text_a": text_a} if text_b is None else {"text_a": text_a, "text_b": text_b}
        words = [part.get("hard") or part.get("soft") for part in peer_parts(source)]
        for text in [*example.values(), *filter(None, words)]:
            pieces[text] = tokenizer.encode(text, add_special_tokens=False)["input_ids"]
        case = {"name": name, "template": source, "max_seq_length": max_seq_length, "example": example}
        cases.append({**case, "expected": peer_features(source, max_seq_length, example, tokenizer)})
    lines = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in cases)
    path = Path(__file__).with_name("prompt_tokenizer.json")
    with open(path, "w", encoding="utf-8") as file:
        head = json.dumps({"special": special, "pieces": pieces}, ensure_ascii=False)[1:-1]
        file.write(f'{{\n  {head},\n  "cases": [\n{lines}\n  ]\n}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
