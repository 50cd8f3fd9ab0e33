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
RTD_LABELS = Verbalizer.from_lines(["car==汽车,车", "sports==体育,球队,比赛冠", "finance==股"])
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


def tiny_discriminator(seed: int = 0, dropout: float = 0.1):
    """An ELECTRA discriminator with random weights, biases included."""
    import paddle
    from paddlenlp.transformers import ElectraConfig, ElectraDiscriminator

    paddle.seed(seed)
    model = ElectraDiscriminator(
        ElectraConfig(
            vocab_size=len(VOCABULARY), embedding_size=24, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=64, type_vocab_size=2, pad_token_id=0,
            hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
        )
    )  # fmt: skip
    for name, parameter in model.named_parameters():
        spread = 0.5 if "embedding" in name or "predictions" in name else 0.1
        if name.endswith("bias") or spread == 0.5:
            parameter.set_value(paddle.randn(parameter.shape) * spread)
    model.eval()
    return model


def tiny_rtd(
    prompt: str = "{'mask'}{'hard': '新闻'}{'text': 'text_a'}", labels=None, encoder="mlp", seed=0, dropout=0.1
):
    """A ReplacedTokenModel on a tiny discriminator; label words of one, two and three tokens."""
    from prompt_kit.training.models.filling import WordList
    from prompt_kit.training.models.replaced_token_model import ReplacedTokenConfig, ReplacedTokenModel

    labels = labels or RTD_LABELS
    template = Template.from_prompt(prompt)
    if template.uses_soft:
        template = Template.from_prompt(prompt, encoder, None if encoder == "none" else 16)
    longest = WordList.of(labels.token_table(tiny_tokenizer())).longest
    tokenizer = PromptTokenizer(template.with_masks(longest), tiny_tokenizer(), 32)
    return ReplacedTokenModel(tiny_discriminator(seed, dropout), tokenizer, labels, ReplacedTokenConfig("tiny-electra"))


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


def write_tiny_folder(folder: Path, family: str = "ernie", discriminator: bool = False) -> Path:
    """A language model's folder as a user has one: config.json, model.safetensors, vocab.txt, tokenizer_config.json."""
    model = tiny_discriminator() if discriminator else tiny_backbone(family)
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "tokenizer_class": "ErnieTokenizer"}), encoding="utf-8"
    )
    return folder
