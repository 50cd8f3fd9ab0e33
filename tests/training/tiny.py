"""Tiny language models made in code: 2 layers, width 32, random weights, a vocabulary of some hundred characters."""

from __future__ import annotations

import json
from pathlib import Path

from prompt_kit.data.dataset import Example
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training import runtime  # noqa: F401  before paddle: it sets the environment

FAMILIES = ("ernie", "bert", "roberta", "electra")
CHARACTERS = "这条新闻标题的主是汽车体育财经科技文化球队股票公司手机上市比赛大涨冠军发布今天一二三四五"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS)]
LABELS = Verbalizer.from_lines(["car==汽车", "sports==体育", "finance==财经"])
EXAMPLES = [
    Example("今天汽车发布", "car"),
    Example("球队比赛冠军", "sports"),
    Example("公司上市大涨", "finance"),
    Example("汽车公司", "car"),
    Example("手机", "finance"),
    Example("体育比赛今天上", "sports"),
    Example("一二三四五汽车", "car"),
    Example("大涨", "finance"),
]
SOFT = "这条新闻的主题是"
HARD = "{'text': 'text_a'}{'hard': '这条新闻的主题是'}{'mask'}"


def tiny_backbone(family: str = "ernie", seed: int = 0, dropout: float = 0.1, layers: int = 2):
    """A masked language model of the family with random weights, decoder bias included."""
    import paddle
    import paddlenlp.transformers as models

    paddle.seed(seed)
    sizes = dict(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, type_vocab_size=2, pad_token_id=0,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    if family == "electra":
        sizes["embedding_size"] = 24  # narrower than the encoder, as the released generators are
    name = {"ernie": "Ernie", "bert": "Bert", "roberta": "Roberta", "electra": "Electra"}[family]
    model = getattr(models, f"{name}ForMaskedLM")(getattr(models, f"{name}Config")(**sizes))
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("bias"):
            parameter.set_value(paddle.randn(parameter.shape) * 0.1)
    for parameter_name, parameter in model.named_parameters():
        if "embedding" in parameter_name and parameter_name.endswith("weight"):
            parameter.set_value(paddle.randn(parameter.shape) * 0.5)
    model.eval()
    return model


def tiny_tokenizer() -> Tokenizer:
    return Tokenizer.from_vocab(VOCABULARY)


def tiny_model(
    prompt: str = SOFT, family: str = "ernie", head: str = "soft", encoder: str = "lstm", hidden_size: int = 16,
    seed: int = 0, dropout: float = 0.1, labels: Verbalizer = LABELS, max_seq_length: int = 32,
):  # fmt: skip
    """A PromptModel on a tiny backbone."""
    from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig

    template = Template.from_prompt(prompt)
    if template.uses_soft:
        template = Template.from_prompt(prompt, encoder, None if encoder == "none" else hidden_size)
    return PromptModel(
        tiny_backbone(family, seed, dropout),
        PromptTokenizer(template, tiny_tokenizer(), max_seq_length),
        labels,
        PromptModelConfig(head=head, base_model=f"tiny-{family}"),
    )


def tiny_finetune(family="ernie", dropout=0.1, max_seq_length=32, template=None, seed=0):
    """A FineTuneModel on a tiny encoder, with a classifier that tells texts apart."""
    import paddle

    from prompt_kit.training.models.finetune_model import TEMPLATE, FineTuneConfig, FineTuneModel

    backbone = tiny_backbone(family, seed, dropout)
    tokenizer = PromptTokenizer(Template.parse(template or TEMPLATE), tiny_tokenizer(), max_seq_length)
    encoder = getattr(backbone, backbone.base_model_prefix)
    model = FineTuneModel(encoder, tokenizer, LABELS, FineTuneConfig(f"tiny-{family}"))
    paddle.seed(seed + 1)
    model.head.linear.weight.set_value(paddle.randn([32, 3]) * 0.5)
    return model


def write_tiny_folder(folder: Path, family: str = "ernie") -> Path:
    """A language model's folder as a user has one: config.json, model.safetensors, vocab.txt, tokenizer_config.json."""
    tiny_backbone(family).save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "tokenizer_class": "ErnieTokenizer"}), encoding="utf-8"
    )
    return folder
