"""Write tokenization.json: what PaddleNLP's tokenizers make of some texts of our own. Needs paddlenlp.

    python tests/golden/make_tokenization.py

Every tokenizer reads every text.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("tokenization.json")
MINI_ZH = "prompt_kit/models/mini_zh/vocab.txt"

SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]
# Cased and uncased pieces side by side, so that one list serves both tokenizers.
ENGLISH = (
    SPECIAL
    + list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-[]%$€°µ²ºß⌘")
    + ["##" + c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789éßøµ\u0301\u0307"]
    + "the The THE bank raises Bank rate rates market ##market super Super ##ly ##ing ##ed sing singer ##er".split()
    + "cafe café Café naive naïve straße strasse istanbul İstanbul Ångström angstrom don ##t é É".split()
    + "mask MASK sep unk pad cls".split()
    + "2024 ##24 20 ##: 中 国 ##国 한국 ひらがな ##がな ひら".split()
)

TEXTS = [
    # plain
    "今天下午三点，小区门口新开了一家面馆。",
    "球队在加时赛里多进两个球，惊险晋级！",
    "房价同比上涨3.5%，成交量环比下降12%。",
    "The bank raises rates; the market sings.",
    "Supermarket singer: THE Bank, don't mask 2024!",
    "苹果发布iPhone 15 Pro Max，起售价7999元起",
    "",
    " ",
    "\t\n\r \u3000\u00a0",
    # symbols and punctuation of all sorts
    "价格￥99｜折后￥89.9｜气温23℃",
    "面积120㎡，约等于1291ft²，精度±0.5µm，编号№7，n°3，º与ª",
    "a￥b｜c℃d￡e¢f©g®h™i",
    "——“引号”‘单引号’《书名》〈小书名〉【方括号】「直角」…·、；：？！",
    "1+1=2; 5<6>4; ~x^y`z|w \\ / @ # $ % & * ( ) _ - = [ ] { } ' \"",
    "♥★☆→←↑↓■□●○◆◇♀♂♪〓〇二〇二四年",
    "x⁰¹²³ ½ ⅓ Ⅳ ⅷ ① ⑩ ㈠ ㊣ ㏒ ㎏",
    "ØØre øre Ʊpsilon ŋoma µ-law 5º",
    # full width, kana, Hangul, other scripts
    "ＡＢＣ１２３，全角！？＃",
    "ひらがなとカタカナ、漢字。ﾊﾝｶｸ",
    "한국어 텍스트와 中国",
    "Привет мир Ёлка ЙОД, Ελληνικά ΣΊΣΥΦΟΣ ς",
    "עִבְרִית العَرَبِيَّة हिन्दी ไทย தமிழ்",
    # accents, case
    "Café CAFÉ cafe\u0301 naïve Ångström Straße STRASSE",
    "İstanbul ISTANBUL ıstanbul i\u0307stanbul",
    "e\u0301\u0323a\u0308\u0304 \u0301x 中\u0301文",
    "ÀÉÎÕÜ àéîõü ǅ ǆ ﬁ ﬂ K Å Ω",
    "ΑΣ ΑΣΑ ὈΔΥΣΣΕΎΣ",
    # emoji, zero width, controls
    "太好了😀👍🏽👨\u200d👩\u200d👧❤️🇨🇳1️⃣",
    "零\u200b宽\u200c字\u200d符\ufeff测\u2060试",
    "soft\u00adhyphen 软\u00ad连\u00ad字\u00ad符",
    "nul\x00char bell\x07 esc\x1b[0m del\x7f vt\x0bff\x0cfs\x1cgs\x1dnel\x85end",
    "line\u2028separator\u2029paragraph\u180emongolian\u1680ogham\u2003em\u202fnarrow",
    "坏\ufffd字 私\ue000用 \U000f0000末 \ufdd0非字符",
    "从右\u202e到左\u202c与\u200f标记",
    # rare characters
    "𠮷野家 㐀 䶵 龥 鿿 豈 羅 凉 﨑 丽 𪜀 𫝀 𫠠 ⺀ ⼀ ⿰",
    "囍 犇猋骉 龘 靐 𰻝",
    # long
    "a" * 100 + " " + "a" * 101,
    "é" * 100 + " " + "e\u0301" * 100 + " " + "\u0301" * 150,
    "www.example.com/a-very-long-path/with_underscores?and=query&more=1#top",
    "长" * 130,
    # nearly special
    "[mask] [Mask] MASK] [MASK [ MASK ] ##ing ## [unused1] <s> </s>",
]


def build() -> dict[str, Any]:
    """Vocabularies, texts and PaddleNLP's ids."""
    from paddlenlp.transformers import BertTokenizer, ErnieTokenizer

    with tempfile.TemporaryDirectory() as folder:
        english = Path(folder) / "vocab.txt"
        english.write_bytes("".join(piece + "\n" for piece in ENGLISH).encode("utf-8"))
        chinese = ROOT / MINI_ZH
        peers = {
            "zh ernie uncased": ErnieTokenizer(str(chinese), do_lower_case=True),
            "zh bert cased": BertTokenizer(str(chinese), do_lower_case=False),
            "en bert uncased": BertTokenizer(str(english), do_lower_case=True),
            "en bert cased": BertTokenizer(str(english), do_lower_case=False),
        }
        cases = [{"text": text, "ids": {name: peer_ids(peer, text) for name, peer in peers.items()}} for text in TEXTS]
    return {"chinese": MINI_ZH, "english": ENGLISH, "cases": cases}


def peer_ids(peer: Any, text: str) -> list[int]:
    """Ids of a text by one of PaddleNLP's tokenizers."""
    return peer(text, add_special_tokens=False)["input_ids"]


def dumps(golden: dict[str, Any]) -> str:
    """JSON in ASCII, because some texts would not survive an editor; one case per line."""
    cases = ",\n".join(json.dumps(case) for case in golden["cases"])
    chinese, english = json.dumps(golden["chinese"]), json.dumps(golden["english"])
    return f'{{"chinese": {chinese},\n"english": {english},\n"cases": [\n{cases}\n]}}\n'


if __name__ == "__main__":
    GOLDEN.write_bytes(dumps(build()).encode("utf-8"))
