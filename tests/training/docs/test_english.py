"""Two classes of English reviews, the whole way: nothing is tied to Chinese but the defaults."""

from __future__ import annotations

import json

import pytest
from scripts import load_script

from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.tokenization import Tokenizer

REVIEWS = {
    "positive": [
        "A warm and funny film", "I loved every minute of it", "The cast is wonderful", "Funny, warm and clever!",
        "What a wonderful story", "I loved the music", "Clever from start to end", "The best film I saw this year",
        "Warm story, wonderful music", "My kids loved it", "The best cast of the year", "It is funny and it is clever",
    ],
    "negative": [
        "A dull and endless film", "I hated every minute of it", "The cast is awful", "Dull, noisy and endless!",
        "What an awful story", "I hated the music", "Noisy from start to end", "The worst film I saw this year",
        "Dull story, awful music", "My kids hated it", "The worst cast of the year", "It is noisy and it is endless",
    ],
}  # fmt: skip
LABELS = "positive==great\nnegative==terrible\n"
PROMPT = "{'text': 'text_a'} All in all, it was {'mask'}."
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# the words of the reviews, of the prompt and of the labels, a few of them in pieces
WHOLE = (
    "a warm and funny film i every minute of it the cast is clever what story music from start to end best saw this year "
    "my kids dull an noisy worst great all in was , . ! awful hate endless"
).split()
PIECES = ["love", "##d", "wonder", "##ful", "terri", "##ble"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder of a small lower-casing BERT with random weights."""
    import paddle
    from paddlenlp.transformers import BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("bert") / "bert-tiny-uncased"
    vocabulary = [*SPECIAL, *WHOLE, *PIECES]
    assert len(set(vocabulary)) == len(vocabulary)
    paddle.seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=48, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.2,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """16 reviews to train on, 4 and 4 to evaluate and predict."""
    folder = tmp_path_factory.mktemp("reviews")
    for split, part in (("train", slice(0, 8)), ("dev", slice(8, 10)), ("test", slice(10, 12))):
        lines = [f"{text}\t{label}\n" for label, texts in REVIEWS.items() for text in texts[part]]
        (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "label.txt").write_text(LABELS, encoding="utf-8")
    return folder


def test_words_become_pieces(bert):
    tokenizer = Tokenizer.from_pretrained(bert)
    pieces = [tokenizer.id_to_token(number) for number in tokenizer.encode("I LOVED it: Wonderful!")]
    assert pieces == ["i", "love", "##d", "it", "[UNK]", "wonder", "##ful", "!"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--prompt", PROMPT, "--verbalizer", "soft"],
        ["--prompt", "it was", "--verbalizer", "soft", "--soft_encoder", "mlp"],
        ["--method", "finetune"],
    ],
    ids=["hard", "soft", "finetune"],
)
def test_the_whole_way(bert, data, tmp_path, capsys, flags):
    """It learns what it is trained on, with a label word of two pieces beside one of one, and exports it."""
    load_script("train").main(
        [
            *"--device cpu --report_to none --do_train --do_eval --do_predict --do_export --max_steps 60".split(),
            *"--eval_steps 60 --learning_rate 3e-3 --per_device_train_batch_size 8 --max_seq_length 48".split(),
            *("--model_name_or_path", str(bert), "--data_dir", str(data), "--output_dir", str(tmp_path / "run")),
            *flags,
        ]
    )
    results = json.loads((tmp_path / "run" / "all_results.json").read_text("utf-8"))
    assert "eval_accuracy" in results and results["test_samples"] == 4
    predictor = Predictor(tmp_path / "run" / "export", device="cpu", num_threads=1)
    for label, texts in REVIEWS.items():
        assert {one.label for one in predictor.predict(texts[:8])} == {label}
    capsys.readouterr()
    load_script("infer").main(
        ["--model_path_prefix", str(tmp_path / "run" / "export"), "--text", REVIEWS["positive"][0]]
    )
    assert capsys.readouterr().out == "positive\n"
