"""A tokenizer of one token per character, whose ids can be told by heart."""

from __future__ import annotations

PAD, CLS, SEP, MASK, UNK = 0, 1, 2, 3, 4


class CharTokenizer:
    """'a' is 97, 'b' is 98, …; '?' is unknown, white space vanishes, and no string is a special token."""

    pad_id, cls_id, sep_id, mask_id, unk_id = PAD, CLS, SEP, MASK, UNK

    def __init__(self):
        self.calls = 0

    def encode(self, text):
        return [UNK if char == "?" else ord(char) for char in text if not char.isspace()]

    def encode_batch(self, texts):
        self.calls += 1
        return [self.encode(text) for text in texts]
