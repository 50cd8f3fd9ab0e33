"""Command lines of train.py as tests give them: parsed, or refused in one line."""

from __future__ import annotations

from refusals import refusal

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.command_line import parse_arguments

PROMPT = "这条新闻标题的主题是"
# The two commands of the article on PaddleNLP's few-shot example.
ARTICLE = (
    f"--device cpu --data_dir ./data/tnews --output_dir ./checkpoints/ --prompt {PROMPT} --max_seq_length 128 "
    "--learning_rate 3e-5 --ppt_learning_rate 3e-4 --do_train --do_eval --use_rdrop --max_steps 1000 --eval_steps 10 "
    "--logging_steps 5 --per_device_eval_batch_size 32 --per_device_train_batch_size 8 --do_predict --do_export"
)
ARTICLE_EPOCHS = (
    f"--device cpu --data_dir ./data/tnews --output_dir ./checkpoints/ --prompt {PROMPT} --max_seq_length 128 "
    "--learning_rate 3e-5 --ppt_learning_rate 3e-4 --do_train --do_eval --num_train_epochs 100 --logging_steps 5 "
    "--per_device_eval_batch_size 32 --per_device_train_batch_size 8 --do_predict --do_export "
    "--metric_for_best_model accuracy --load_best_model_at_end --evaluation_strategy epoch --save_strategy epoch "
    "--save_total_limit 1 --load_best_model_at_end True"
)


def parse(command: str = ""):
    """(model, data, training) arguments of a command line."""
    return parse_arguments([*command.split(), "--device", "cpu"])[:3]


def training(command: str = "") -> PromptTrainingArguments:
    return parse(command)[2]


def refused(command: str) -> str:
    return refusal(ConfigError, parse, command)
