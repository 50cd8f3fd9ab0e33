"""Train, evaluate, predict with and export a prompt model: `prompt-kit train`, `python train.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from prompt_kit.cli.parser import ArgumentParser

if TYPE_CHECKING:
    from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments


def build_parser(prog: str = "train.py") -> ArgumentParser:
    from prompt_kit.training.loop import command_line

    return command_line.build_parser(prog)


def main(argv: Optional[Sequence[str]] = None, prog: str = "train.py") -> None:
    from prompt_kit.disk import writing_to
    from prompt_kit.training.loop import session

    model_args, data_args, args, given = session.parse_arguments(argv, prog)
    with session.output_folder(args), writing_to("--output_dir", args.output_dir):
        _run(model_args, data_args, args, given)


def _run(
    model_args: ModelArguments, data_args: DataArguments, args: PromptTrainingArguments, given: frozenset[str]
) -> None:
    from prompt_kit.training.loop import session

    args = session.with_settings_of_run(args, given)
    model, dataset, info = session.prepare(model_args, data_args, args, given)
    trainer = session.make_trainer(model, args, dataset, info)
    results = session.Results(args.output_dir, info)

    if args.do_train:
        results.write("train", session.train(trainer, args, dataset))
    if args.do_eval:
        results.write("eval", session.evaluate(trainer, dataset))
    if args.do_predict and dataset.test is not None:  # `prepare` refuses --do_predict without a test.txt
        logits = trainer.predict_logits(dataset.test)
        results.write_predictions("test", logits, dataset.test, model.verbalizer, model.task)
    session.write_card(model, results)
    if args.report:
        session.report(model, args, dataset, results)
    if args.do_export:
        session.export(model, args, results)
