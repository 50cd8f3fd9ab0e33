"""What is wrong with a line that is not `text<TAB>label`, and whether a file has labels where none are looked for.

People come with files of other tools: commas for tabs, JSON lines, columns the other way round, numbers in front.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Optional

from prompt_kit.data.line_format import split_labels
from prompt_kit.errors import shown

_EXPECTED = "expected text<TAB>label"
_LISTED = 20  # labels listed in a message: a label.txt of hundreds must not fill the screen
_SHOWN = 40  # characters of a column
_BETWEEN = re.compile(r"[\s,，;；|:：]+")  # what stands for the tab in other layouts
_QUOTES = "\"'“”‘’"
_SEVERAL = re.compile(r"[#,，、;；|/&+\s]+")  # between the labels of data with several labels a text
_NUMBER = re.compile(r"\d+\Z")
_FASTTEXT = "__label__"
_LABEL_COLUMN = re.compile(
    r"(^|[,;，；|])\s*\"?(label|labels|标签|类别|class|category)\"?\s*([,;，；|]|$)", re.IGNORECASE
)
_WORDS_BEHIND = re.compile(r"\s*(:|：|=|->|,|，|\s)")  # what people write for == between a label and its words


def no_tab(line: str, known: Collection[str]) -> str:
    """What is wrong with a line without a tab."""
    if fields := json_fields(line):
        return f"a JSON object ({fields}), {_EXPECTED}; {_from_json(fields)}"
    if last := _label_at_end(line, known):
        sign = line[: line.rindex(last)].rstrip(_QUOTES)[-1]
        where = "a space" if sign.isspace() else f"{sign!r}"
        return f"no tab, {_EXPECTED}; {shown(last)} stands after {where}: put a tab there"
    if first := _label_at_start(line, known):
        return f"no tab, {_EXPECTED}; the label {shown(first)} stands first: write the text, a tab, and the label"
    if _LABEL_COLUMN.search(line):
        return (
            f"no tab, {_EXPECTED}, got {shown(line)}, the names of a table's columns: make a data folder of the file with "
            "prompt-kit import csv"
        )
    return f"no tab, {_EXPECTED}, got {shown(line)}; add the label after a tab"


def wrong_label(
    text: str, label: str, labels: Sequence[str], known: Collection[str], number: int, several_may: bool = False
) -> str:
    """What is wrong with a line whose last column is no label: `text`, a tab, `label`. `number` is the line's.

    several_may: stand in a line, with commas between.
    """
    listed = f"expected one of the {len(labels)} labels of label.txt: {list_names(labels)}"
    if not label:
        return f"no label after the tab; {listed}"
    if text in known:
        return f"the columns are the other way round, {_EXPECTED}, got the label {shown(text, _SHOWN)} first; exchange them"
    several = [part for part in _SEVERAL.split(label) if part]
    if len(several) > 1 and all(part in known for part in several):
        if several_may:
            return (
                f"{len(several)} labels in one, {shown(label)}, expected commas between them: {','.join(several)[:80]}"
            )
        return (
            f"{len(several)} labels in one, {shown(label)}, expected one label a text; train with --task_type "
            f"multi-label, keep the one that fits best, or make {shown(label)} a label of its own in label.txt"
        )
    if number == 1 and label.lower() in ("label", "labels", "标签", "类别", "class", "category"):
        return f"a header ({shown(text, _SHOWN)}, {shown(label)}), expected a text and its label; delete the first line"
    if _NUMBER.match(text) and label not in known:
        return (
            f"a number and a text ({shown(text, _SHOWN)}, {shown(label, _SHOWN)}), {_EXPECTED}: no label of label.txt stands in "
            "it; cut the numbers off with cut -f2-, and add the labels after a tab"
        )
    if with_words := next(
        (one for one in labels if _WORDS_BEHIND.match(one[len(label) :]) and one.startswith(label)), ""
    ):
        return f"unknown label {shown(label)}; label.txt has {shown(with_words)}: write == there, {label}==word"
    near = [one for one in labels if one.casefold() == label.casefold()]
    near = near or difflib.get_close_matches(label[:200], labels, n=1)
    hint = f"did you mean {shown(near[0])}? " if near else ""
    return f"unknown label {shown(label)}; {hint}{listed}"


def too_many_columns(line: str) -> str:
    """What is wrong with a line of more than two columns."""
    columns = line.split("\t")
    listed = ", ".join(shown(one, 20) for one in columns[:5]) + (", …" if len(columns) > 5 else "")
    return (
        f"{len(columns)} columns ({listed}), expected two, text<TAB>label; add --text_pairs for two texts and a label, leave "
        "out the others, or write spaces for the tabs of a text"
    )


def labelled_otherwise(lines: Iterable[str], known: Collection[str]) -> Optional[int]:
    """The place of the first line that has a label in another layout, if more than half of them do; else None.

    Such a file must not count as unlabelled: its labels would become part of the texts, and there would be no score.
    """
    lines = list(lines)
    finders = (_label_at_end, _label_at_start, lambda line, _: json_fields(line))
    found = [at for at, line in enumerate(lines) if any(find(line, known) for find in finders)]
    return found[0] if 2 * len(found) > len(lines) else None


def not_a_text(line: str, known: Collection[str]) -> Optional[str]:
    """What is wrong with a line that should be a text alone: a label in a column of its own, or JSON. None if nothing is."""
    columns = [column.strip() for column in line.split("\t")] if "\t" in line else []
    found = [column for column in columns if column in known or _are_labels(column, known)]
    if found:
        where = "ends with" if [column for column in columns if column][-1] == found[-1] else "has a column with"
        return f"{where} the label {shown(found[-1])}, expected texts alone"
    if fields := json_fields(line):
        return f"a JSON object ({fields}), expected a text; {_from_json(fields, with_label=False)}"
    return None


def _are_labels(column: str, known: Collection[str]) -> bool:
    """Whether a column is several labels."""
    names = split_labels(column)
    return len(names) > 1 and all(name in known for name in names)


def json_fields(line: str) -> str:
    """The names of the fields of a JSON object with a text in it, as `sentence, label`; "" when the line is none."""
    line = line.strip()
    if not (line.startswith("{") and line.endswith("}") and '"' in line):
        return ""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    names = [shown(name, 20)[1:-1] for name in value][:5]
    return ", ".join(names) if any(isinstance(one, str) for one in value.values()) else ""


def list_names(names: Sequence[str]) -> str:
    """The first 20 names, each cut where it is long, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(name if len(name) <= _SHOWN else name[:_SHOWN] + "…" for name in names[:_LISTED]) + more


def _from_json(fields: str, with_label: bool = True) -> str:
    known = fields.split(", ")
    text = next((name for name in ("sentence", "text", "content", "text_a", "title") if name in known), "sentence")
    label = next((name for name in ("label_desc", "label", "labels") if name in known), "")
    columns = f"[.{text}, .{label}]" if label and with_label else f"[.{text}]"
    return f"take the fields out, for example with jq: jq -r '{columns} | @tsv'"


def _label_at_end(line: str, known: Collection[str]) -> str:
    """The label that stands behind a text and a comma, a space or the like; "" without one."""
    *text, last = _BETWEEN.split(line.strip().strip(_QUOTES))
    last = last.strip(_QUOTES)
    return last if any(text) and last in known else ""


def _label_at_start(line: str, known: Collection[str]) -> str:
    """The label that stands before a comma, a space or the like and a text; "" without one."""
    first, *text = _BETWEEN.split(line.strip().strip(_QUOTES), maxsplit=1)
    first = (first[len(_FASTTEXT) :] if first.startswith(_FASTTEXT) else first).strip(_QUOTES)
    return first if any(text) and first in known else ""
