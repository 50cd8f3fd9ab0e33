"""doccano's exports of a text classification project -> Records.

Read after its exporter (github.com/doccano/doccano, backend/data_export/pipeline/factories.py and celery_tasks.py, 1.8)
and the shapes of earlier releases that its issues show:

    JSON, JSONL   {"id": 1, "text": "…", "label": ["car"], "Comments": []}        1.6 and later
                  {"id": 1, "data": "…", "label": ["car"]}                        1.4 to 1.5 (issue 1522)
                  {"id": 1, "text": "…", "labels": ["car"]}, {"doc_id": 1, …}     before 1.3 (issues 1330, 46)
                  {"id": 1, "text": "…", "annotations": [{"label": 2, "user": 1}]}   ids, before 1.3 (issues 113, 156)
    CSV           id,text,label,Comments, several labels joined by #

One zip archive holds all.jsonl, or a file for each member where annotators do not share their labels. Each label of a
text counts as a vote. Ids become names by the label list that doccano exports (`label_config.json`). A column that was
imported beside the text, such as a second text, is a key of its task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from prompt_kit.data.importers.json_objects import is_json, read_objects
from prompt_kit.data.importers.records import Record
from prompt_kit.data.importers.sources import Source, decode
from prompt_kit.data.importers.tables import LABEL_NAMES, column, listed, read_table, text_columns
from prompt_kit.data.pairs import names_beside, pair_hint
from prompt_kit.errors import DataError, shown

SUFFIXES = (".jsonl", ".json", ".csv", ".txt")
_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels", "annotations", "categories", "cats")


def read_doccano(
    name: str,
    text: str,
    text_column: Optional[str] = None,
    label_column: Optional[str] = None,
    label_names: Optional[Mapping[int, str]] = None,
    text_pair_column: Optional[str] = None,
) -> Iterator[Record]:
    """The tasks of one exported file. Raises DataError with file:line for another project's or tool's export."""
    if text.lstrip().startswith("__label__"):
        raise DataError(f"{name}:1: a fastText export, which keeps no quotation marks apart; export JSONL from doccano")
    if not is_json(text):
        yield from _read_csv(name, text, text_column, label_column, label_names, text_pair_column)
        return
    keys = (*names_beside(text_pair_column or ""), *_TEXT_KEYS)
    for where, task in read_objects(name, text):
        found = _text(task, where, text_column, keys, "text")
        text_b = None if text_pair_column is None else _text(task, where, text_pair_column, (), "text_pair")
        labels = _value(task, where, label_column, _LABEL_KEYS, "label", optional=True)
        yield Record(where, found, tuple(_votes(labels, where, label_names)), False, _annotators(labels), text_b)


def read_label_names(source: Source) -> dict[int, str]:
    """Id -> name, from the label list that doccano's page of labels exports: [{"id": 1, "text": "car", …}, …]."""
    names = {}
    for where, entry in read_objects(source.name, decode(source)[0]):
        number, text = entry.get("id"), entry.get("text")
        if not isinstance(number, int) or not isinstance(text, str):
            raise DataError(
                f'{where}: expected {{"id": 1, "text": "name of the label"}}, got keys {listed(list(entry))}'
            )
        names[number] = text
    return names


def _read_csv(
    name: str,
    text: str,
    text_column: Optional[str],
    label_column: Optional[str],
    label_names: Optional[Mapping[int, str]],
    text_pair_column: Optional[str],
) -> Iterator[Record]:
    table = read_table(name, text)
    at_text, at_pair = text_columns(name, table.header, text_column, text_pair_column)
    at_label = column(name, table.header, label_column, LABEL_NAMES, "label_column")
    for row in table.rows:
        labels: list[Any] = [one for one in row.cells[at_label].split("#") if one.strip()]
        if label_names and all(one.strip().isdecimal() for one in labels):
            labels = [int(one) for one in labels]
        text_b = None if at_pair is None else row.cells[at_pair]
        yield Record(row.where, row.cells[at_text], tuple(_votes(labels, row.where, label_names)), text_b=text_b)


def _text(task: Mapping[str, Any], where: str, asked: Optional[str], keys: tuple[str, ...], what: str) -> str:
    found = _value(task, where, asked, keys, what)
    if not isinstance(found, str):
        raise DataError(
            f"{where}: expected the text as a string, got {shown(found)}; is this a text classification project?"
        )
    return found


def _value(
    task: Mapping[str, Any], where: str, asked: Optional[str], keys: tuple[str, ...], what: str, optional: bool = False
) -> Any:
    for key in (asked,) if asked else keys:
        if key in task:
            return task[key]
    if optional and not asked:
        return None
    raise DataError(
        f"{where}: no {what}: expected the key {' or '.join(map(repr, (asked,) if asked else keys[:2]))}, got "
        f"{listed(list(task))}; give --{what}_column{pair_hint(list(task)) if what == 'text' else ''}"
    )


def _annotators(labels: Any) -> int:
    """How many labelled a task: the users of its annotations, or where they are not told as many as gave it the same label."""
    if not isinstance(labels, list):
        return 1
    users = {str(one.get("user")) for one in labels if isinstance(one, dict)}
    same = Counter(str(one) for one in labels if not isinstance(one, dict))
    return max(1, len(users), *same.values())


def _votes(labels: Any, where: str, names: Optional[Mapping[int, str]]) -> Iterator[str]:
    """A label for each vote, whatever release wrote them."""
    if labels is None or labels == "":
        return
    for label in labels if isinstance(labels, list) else [labels]:
        if isinstance(label, dict):  # an annotation of a user
            if "start_offset" in label:
                raise DataError(
                    f"{where}: labels of parts of a text (sequence labelling); only whole texts are classified"
                )
            label = label.get("label")
        if isinstance(label, list):
            raise DataError(f"{where}: labels of parts of a text (sequence labelling); only whole texts are classified")
        if isinstance(label, int) and not isinstance(label, bool):
            if names is None:
                raise DataError(
                    f"{where}: the label is the number {shown(label)}, as doccano before 1.3 exports it; give --label_config "
                    "with the label list that doccano's page of labels exports"
                )
            if label not in names:
                raise DataError(
                    f"{where}: label {shown(label)} is not in --label_config, which has {sorted(names)[:12]}"
                )
            label = names[label]
        if not isinstance(label, str):
            raise DataError(f"{where}: expected the label as a string, got {shown(label)}")
        yield label
