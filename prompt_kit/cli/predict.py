"""Label texts with an exported prompt model, on CPU or GPU, without Paddle."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Callable, Optional

from prompt_kit.cli import predict_table
from prompt_kit.cli.model_flags import add_model_flags
from prompt_kit.cli.parser import ArgumentParser, note, typed
from prompt_kit.cli.predict_lines import FORMATS, labels_to_show, line_writer
from prompt_kit.cli.text_flag import add_text_flag
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import ConfigError, DataError, OutputError, shown

if TYPE_CHECKING:
    from prompt_kit.data.dataset import AText
    from prompt_kit.inference.output_file import OutputFile
    from prompt_kit.inference.predictor import Prediction, Predictor

Show = Callable[["Prediction"], str]  # a prediction as a line

EXAMPLES = """\
input is one of: --data_dir, --text, --input_file, or lines piped to stdin. One line of output a text, in the same order.

examples:
  python infer.py --data_dir data/tnews > labels.txt
  python infer.py --text 今晚国足迎战日本队 新车上市售价公布
  python infer.py --input_file reviews.csv --output_file labelled.csv          (a table; other columns are kept)
  python infer.py --text 今晚国足迎战日本队 --text_pair 国足备战                   (a model that reads two texts)
  cat headlines.txt | python infer.py --output_format jsonl --top_k 3
  python infer.py --support_file new_label.txt --text 今晚国足迎战日本队        (a label more, without training)
  python infer.py --data_dir data/tnews --output_file labels.txt --resume      (go on where a killed run stopped)
  python infer.py --model_path_prefix checkpoints/export/model --data_dir data/tnews --device gpu --precision fp16
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "infer.py") -> None:
    args = parse(argv, prog)
    if args.input_file is not None:
        predict_table.run(args, load)
        return
    check_input(args)
    check_nearest(args.nearest, args.output_format)
    output = open_output(args)
    if args.model_name_or_path:
        note(args.prog, "--model_name_or_path is not needed: the exported folder has its own tokenizer and vocabulary")
    predictor = load(args)
    top_k = labels_to_show(args, predictor)
    show = line_writer(args.output_format, predictor.decision.several)
    texts = open_texts(args, predictor.labels, predictor.reads_pairs)
    predictions = predict(predictor, texts, args, output, top_k, show)
    predictions = count(predictions, predictor, args.prog, to_file=output is not None)
    if output is None:
        at_once = args.batch_size == 1
        for prediction in predictions:
            print_line(show(prediction), at_once)
    else:
        write(predictions, args, output, show)


def build_parser(prog: str = "infer.py") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES.replace("python infer.py", typed(prog)))
    parser.set_defaults(prog=prog)
    add = parser.add_argument
    add_model_flags(
        parser, "auto",
        "auto: fp16 on a GPU; on a CPU int8 or bf16 where the export found that it keeps the labels and it is fast, else fp32",
    )  # fmt: skip
    add("--data_dir", metavar="FOLDER", help="label the lines of data.txt in this folder")
    add_text_flag(parser, "label these texts")
    predict_table.add_flags(add)
    add("--support_file", metavar="PATH",
        help="text<TAB>label or text<TAB>label==word a line: a few texts of each label to add to the model's; export with "
        "--with_states")  # fmt: skip
    add("--only_support", action="store_true", help="the labels of --support_file alone, not the model's")
    add("--output_format", choices=FORMATS, default="label",
        help="label: the label alone, or several with commas between; tsv: text, label, probability; jsonl: a JSON object, "
        "of several labels with all probabilities (default: %(default)s)")  # fmt: skip
    add("--output_file", metavar="PATH", help="write there instead of to stdout")
    add("--resume", action="store_true",
        help="go on in --output_file behind the lines that are there; give the same input, from its start")  # fmt: skip
    add("--overwrite", action="store_true", help="start again though --output_file is there")
    add("--top_k", type=int, default=1, metavar="K", help="the K best labels; needs tsv or jsonl (default: 1)")
    add("--nearest", type=int, default=0, metavar="N",
        help="name the N training texts nearest to each, where export.py --with_examples put them in; needs jsonl "
        "(default: %(default)s)")  # fmt: skip
    add("--batch_size", type=int, default=32, metavar="N",
        help="texts at a time; 1 answers each line as it comes (default: %(default)s)")  # fmt: skip
    add("--use_fp16", action="store_true", help="the same as --precision fp16")
    add("--model_name_or_path", metavar="NAME", help="accepted as in PaddleNLP's example, and not needed")
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "infer.py") -> argparse.Namespace:
    return build_parser(prog).parse_args(argv)


def check_input(args: argparse.Namespace) -> None:
    """Refuse flags that contradict each other, and no input at all, before the model is loaded."""
    if args.top_k > 1 and args.output_format == "label":
        raise ConfigError(f"--top_k {args.top_k} has no place in one label a line; add --output_format tsv or jsonl")
    for flag in ("model_path_prefix", "data_dir", "output_file"):
        if getattr(args, flag) == "":
            raise ConfigError(f"--{flag} is given, but empty (a variable without a value?); give a path")
    for flag in predict_table.FLAGS:
        if getattr(args, flag, None) is not None:
            raise ConfigError(f"--{flag} is for a table; add --input_file PATH, or leave --{flag} out")
    check_support(args)
    if args.text is not None and args.data_dir is not None:
        raise ConfigError("--text and --data_dir are both given; give one of them")
    for name in ("text", "text_pair"):
        for number, text in enumerate(getattr(args, name) or (), start=1):
            if is_empty(text):
                raise DataError(f"--{name}: text {number} is empty ({shown(text)}), expected some words")
    if args.text_pair is not None and len(args.text_pair) != len(args.text or ()):
        raise ConfigError(
            f"--text has {len(args.text or ())} texts, but --text_pair {len(args.text_pair)}; give every text its second one"
        )
    if sys.stdout is None and args.output_file is None:
        raise ConfigError("stdout is closed, so there is no place for the labels; open it, or add --output_file PATH")
    if args.text is None and args.data_dir is None and (sys.stdin is None or sys.stdin.isatty()):
        raise ConfigError(
            "no input: give --data_dir data/tnews (its data.txt is read), or --text 今晚国足迎战日本队, "
            f"or pipe lines: cat headlines.txt | {typed(args.prog)}"
        )


def open_texts(args: argparse.Namespace, labels: Sequence[str], pairs: bool) -> Iterator[AText]:
    """The texts, or pairs of them, of the one input that was given; files and stdin are read as they are needed, never whole."""
    from prompt_kit.data.dataset import Example, iter_texts, texts_of, unlabelled
    from prompt_kit.data.lines import read_lines

    if args.text_pair is not None and not pairs:
        raise ConfigError("--text_pair is for models that read two texts, and this one reads one; drop --text_pair")
    if args.text is not None:
        texts = unlabelled(enumerate(args.text, start=1), "--text", labels)
        if not pairs:
            return texts
        if args.text_pair is None:
            raise ConfigError("this model reads two texts: give the second of each with --text_pair")
        return (Example(text, text_b=other) for text, other in zip(texts, args.text_pair))
    if args.data_dir is not None:
        path = os.path.join(args.data_dir, "data.txt")
        return texts_of(read_lines(path), path, labels, pairs)
    return iter_texts(sys.stdin, labels=labels, pairs=pairs)


def open_output(args: argparse.Namespace) -> Optional[OutputFile]:
    """The file of --output_file, not yet touched; None for stdout."""
    from prompt_kit.inference.output_file import OutputFile

    if args.output_file is None:
        if args.resume or args.overwrite:
            raise ConfigError(f"--{'resume' if args.resume else 'overwrite'} is for --output_file; give one")
        return None
    if args.data_dir is not None:
        source = os.path.join(args.data_dir, "data.txt")
        if os.path.exists(args.output_file) and os.path.exists(source) and os.path.samefile(args.output_file, source):
            raise ConfigError(f"--output_file {args.output_file} is the file that is read; give another")
    return OutputFile(args.output_file, args.resume, args.overwrite)


def predict(
    predictor: Predictor,
    texts: Iterator[AText],
    args: argparse.Namespace,
    output: Optional[OutputFile],
    top_k: int,
    show: Show,
) -> Iterator[Prediction]:
    """Predictions of the texts that `output` does not have yet.

    Texts share batches only with others of their window, so a resumed run starts with the window of the last line
    that is there: the batches, and so all digits, are those of an uninterrupted run. That line is compared.
    """
    from prompt_kit.inference.text_windows import window_size

    done = output.place.lines if output else 0
    if done and args.output_format == "tsv" and any("\n" in text for text in args.text or ()):
        raise ConfigError(
            "--resume counts lines, but a text of --text has a line break, so that its row has several; use --output_format "
            "jsonl, or --overwrite to start again"
        )
    window = window_size(args.batch_size)
    skipped = max(done - 1, 0) // window * window
    predictions = predictor.predict_stream(islice(texts, skipped, None), args.batch_size, top_k, args.nearest)
    again = list(islice(predictions, done - skipped))
    if len(again) < done - skipped:
        raise DataError(f"{args.output_file} has {done} lines, more than the input: it is the output of another one")
    last = output.place.last if output else ""
    if again and _without_numbers(show(again[-1])) != _without_numbers(last):
        raise DataError(
            f"{args.output_file}:{done}: not what this run writes for text {done}; --resume needs the input, the model, "
            "--output_format, --top_k and --nearest that the file was begun with (or --overwrite to start again)"
        )
    return predictions


def write(predictions: Iterable[Prediction], args: argparse.Namespace, output: OutputFile, show: Show) -> None:
    """Write the predictions, handing each window over as it is done: a kill then costs no more than a window."""
    from prompt_kit.inference.text_windows import window_size

    window = window_size(args.batch_size)
    try:
        for number, prediction in enumerate(predictions, start=output.place.lines + 1):
            output.write(show(prediction))
            if number % window == 0:
                output.flush()
    except OutputError:
        raise
    except BaseException:
        with contextlib.suppress(OutputError):
            output.flush()  # what is done need not be done again
        raise
    else:
        output.close()
    finally:
        output.release()


def print_line(line: str, at_once: bool) -> None:
    """Print to stdout; OutputError when it takes no more, as on a full disk."""
    try:
        print(line, flush=at_once)
    except BrokenPipeError:  # the reader has what it wanted
        raise
    except OSError as error:
        raise OutputError(f"cannot write to stdout: {error.strerror or error}") from None


def check_support(args: argparse.Namespace) -> None:
    if args.only_support and args.support_file is None:
        raise ConfigError("--only_support needs --support_file, the examples to classify by; add it")


def check_nearest(nearest: int, output_format: str) -> None:
    """Refuse training texts in lines that have no place for them."""
    from prompt_kit.inference.call_arguments import check_number

    if check_number("nearest", nearest, 0) and output_format != "jsonl":
        raise ConfigError(f"--nearest {nearest} has no place in {output_format} lines; add --output_format jsonl")


def load(args: argparse.Namespace) -> Predictor:
    from prompt_kit.inference.predictor import Predictor
    from prompt_kit.inference.support import read_support

    support = None if args.support_file is None else read_support(args.support_file)

    if args.use_fp16 and args.precision not in ("auto", "fp16"):
        raise ConfigError(f"--use_fp16 and --precision {args.precision} are both given; give one of them")
    predictor = Predictor(
        args.model_path_prefix,
        device=args.device,
        device_id=args.device_id,
        num_threads=args.num_threads,
        precision="fp16" if args.use_fp16 else args.precision,
        max_seq_length=args.max_seq_length,
        engine=args.engine,
        task=args.task,
    )
    predictor.check_task()
    asked_for_cpu = args.precision in ("int8", "bf16") or args.engine == "openvino"
    if args.device == "auto" and predictor.device == "cpu" and not asked_for_cpu:
        note(
            args.prog, "running on the CPU: onnxruntime has no CUDA that it can use (--device cpu leaves this line out)"
        )
    if args.engine != "auto" or "openvino" in predictor.engine:
        note(args.prog, f"running {predictor.precision} on {predictor.engine} (--engine and --precision say otherwise)")
    elif args.precision == "auto" and "int8" in predictor.precision:
        note(
            args.prog, "running model_int8.onnx, which export.py found to keep the labels (--precision says otherwise)"
        )
    return predictor if support is None else predictor.with_support(support, args.only_support)


def count(predictions: Iterable[Prediction], predictor: Predictor, prog: str, to_file: bool) -> Iterator[Prediction]:
    """Pass the predictions on; on a terminal, a running count and at the end the speed, on stderr."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    done, start = 0, time.perf_counter()
    last_shown = start
    for done, prediction in enumerate(predictions, start=1):
        yield prediction
        if watched and time.perf_counter() - last_shown > 0.5 and (to_file or not sys.stdout.isatty()):
            last_shown = time.perf_counter()
            print(f"\r{done} texts", end="", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - start
    if watched and seconds >= 1:  # the speed of a handful of texts says nothing
        where = "GPU" if predictor.device == "gpu" else f"CPU, {predictor.num_threads} threads"
        note(prog, f"{done} texts in {seconds:.2f} s, {done / seconds:.0f} a second ({where}, {predictor.precision})")


def _without_numbers(line: str) -> str:
    """Another batch size or machine may change the last digit of a probability, which is no reason to refuse."""
    return re.sub(r"\d\.\d+(e-\d+)?|\de-\d+", "", line)
