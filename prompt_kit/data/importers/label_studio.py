"""Label Studio's exports of a project with Choices -> Records.

Read after labelstud.io/guide/export, its "Label Studio JSON format of annotated tasks", and the converter that writes
the files (label_studio_sdk 2.1, converter/converter.py, converter/exports/csv2.py):

    JSON      [{"id": 1, "data": {"text": "…"}, "annotations": [{"was_cancelled": false, "ground_truth": false,
               "result": [{"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["car"]}}]}]}]
    JSON-MIN  [{"text": "…", "id": 1, "topic": "car", "annotator": 1, "annotation_id": 1, …}], {"choices": […]} for several
    CSV, TSV  the same columns; a list of several choices is JSON in its cell

JSON has every annotator's answer and the tasks that were skipped; the others have a row for each answer. Before 1.0
annotations were called completions, and was_cancelled skipped. An answer marked as ground truth overrules the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from prompt_kit.data.importers.json_objects import is_json, read_objects
from prompt_kit.data.importers.records import Record
from prompt_kit.data.importers.tables import TEXT_NAMES, column, listed, read_table, text_columns
from prompt_kit.data.pairs import names_beside, pair_hint
from prompt_kit.errors import ConfigError, DataError, shown

SUFFIXES = (".json", ".csv", ".tsv")
_TEXT_NAMES = ("_data_text", *TEXT_NAMES)
_OWN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history", "inner_id"}


def read_label_studio(
    name: str,
    text: str,
    text_column: Optional[str] = None,
    label_column: Optional[str] = None,
    text_pair_column: Optional[str] = None,
) -> Iterator[Record]:
    """The tasks of one exported file. Raises DataError with file:line for an export without choices for whole texts."""
    if not is_json(text):
        yield from _read_table(name, text, text_column, label_column, text_pair_column)
        return
    objects = list(read_objects(name, text))
    if objects and isinstance(objects[0][1].get("data"), dict):
        yield from _read_tasks(objects, text_column, label_column, text_pair_column)
    else:
        yield from _read_minimal(name, objects, text_column, label_column, text_pair_column)


def _read_tasks(
    tasks: Sequence[tuple[str, dict[str, Any]]],
    text_column: Optional[str],
    label_column: Optional[str],
    text_pair_column: Optional[str],
) -> Iterator[Record]:
    answers = [(where, task, _answers(where, task)) for where, task in tasks]
    label_column = label_column or _only_choice(answers)
    for where, task, given in answers:
        entry = task.get("data")
        data = entry if isinstance(entry, dict) else {}
        text_b = None if text_pair_column is None else _text(where, data, text_pair_column, flag="text_pair_column")
        text = _text(where, data, text_column, names_beside(text_pair_column or ""))
        kept = [one for one in given if not (one.get("was_cancelled") or one.get("skipped"))]
        truth = [one for one in kept if one.get("ground_truth")]
        chosen = [tuple(_choices(where, one, label_column)) for one in truth or kept]
        votes = tuple(vote for one in chosen for vote in one)
        yield Record(where, text, votes, bool(given) and not kept, len(chosen), text_b)


def _answers(where: str, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = task.get("annotations", task.get("completions", []))
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(
            f'{where}: expected "annotations": […], got {str(found)[:40]}; export JSON with whole annotations'
        )
    return found


def _only_choice(answers: Sequence[tuple[str, Any, list[dict[str, Any]]]]) -> Optional[str]:
    """The name of the Choices of this project; ConfigError when there are several, DataError for none but answers."""
    names: dict[str, None] = {}
    others: dict[str, None] = {}
    first = ""
    for where, _, given in answers:
        for one in given:
            for result in _results(one):
                kind = str(result.get("type"))
                if kind == "choices" and _whole(result):
                    names[str(result.get("from_name"))] = None
                else:
                    others[kind] = None
                    first = first or where
    if len(names) > 1:
        raise ConfigError(
            f"several questions were answered ({listed(list(names))}); give --label_column with one of them"
        )
    if not names and others:
        raise DataError(
            f"{first}: no choices for a whole text, only {listed(list(others))}; label texts with <Choices>"
        )
    return next(iter(names), None)


def _results(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("result")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _whole(result: Mapping[str, Any]) -> bool:
    """Whether the choice is about the text and not about a part of it (perRegion)."""
    value = result.get("value")
    return isinstance(value, dict) and isinstance(value.get("choices"), list) and "start" not in value


def _choices(where: str, answer: Mapping[str, Any], label_column: Optional[str]) -> Iterator[str]:
    for result in _results(answer):
        if result.get("from_name") == label_column and result.get("type") == "choices" and _whole(result):
            for choice in result["value"]["choices"]:
                if not isinstance(choice, str):
                    raise DataError(f"{where}: expected the choice as a string, got {shown(choice)}")
                yield choice


def _text(
    where: str, data: Mapping[str, Any], asked: Optional[str], first: Sequence[str] = (), flag: str = "text_column"
) -> str:
    """The text that `asked` names, else the one with a usual name, of which those in `first` go first, or the only one."""
    strings = {key: value for key, value in data.items() if isinstance(value, str)}
    keys = (
        [asked]
        if asked
        else [key for key in (*first, *TEXT_NAMES) if key in strings] or (list(strings) if len(strings) == 1 else [])
    )
    if not keys or keys[0] not in strings:
        raise DataError(
            f"{where}: which of the task's data is the text? It has {listed(list(data))}; give --{flag} NAME"
            + (pair_hint(list(data)) if flag == "text_column" else "")
        )
    return strings[keys[0]]


def _read_minimal(
    name: str,
    objects: Sequence[tuple[str, dict[str, Any]]],
    text_column: Optional[str],
    label_column: Optional[str],
    text_pair_column: Optional[str],
) -> Iterator[Record]:
    header = list(dict.fromkeys(key for _, entry in objects for key in entry))
    places = text_columns(name, header, text_column, text_pair_column, _TEXT_NAMES)
    keys = [header[place] for place in places if place is not None]
    label = header[_label_place(name, header, keys, label_column)]
    for where, entry in objects:
        texts = [_string(where, entry, key) for key in keys]
        votes = tuple(_values(where, entry.get(label)))
        yield Record(where, texts[0], votes, text_b=texts[1] if len(texts) == 2 else None)


def _string(where: str, entry: Mapping[str, Any], key: str) -> str:
    found = entry.get(key)
    if not isinstance(found, str):
        raise DataError(f"{where}: expected {shown(key)} as a string, got {shown(found)}")
    return found


def _read_table(
    name: str, text: str, text_column: Optional[str], label_column: Optional[str], text_pair_column: Optional[str]
) -> Iterator[Record]:
    table = read_table(name, text)
    at_text, at_pair = text_columns(name, table.header, text_column, text_pair_column, _TEXT_NAMES)
    texts = [table.header[place] for place in (at_text, at_pair) if place is not None]
    at_label = _label_place(name, table.header, texts, label_column)
    for row in table.rows:
        text_b = None if at_pair is None else row.cells[at_pair]
        yield Record(row.where, row.cells[at_text], tuple(_values(row.where, row.cells[at_label])), text_b=text_b)


def _label_place(name: str, header: Sequence[str], texts: Sequence[str], asked: Optional[str]) -> int:
    """The column of answers: the one that was asked for, or the only one that is neither Label Studio's nor a text."""
    if asked is not None:
        return column(name, header, asked, (), "label_column")
    rest = [one for one in header if one not in _OWN and one not in texts]
    if len(rest) != 1:
        raise DataError(
            f"{name}:1: which column has the choices? It may be one of {listed(rest)}; give --label_column NAME"
        )
    return list(header).index(rest[0])


def _values(where: str, value: Any) -> Iterator[str]:
    """One choice, or several: {"choices": […]}, a list of these or of strings, or such JSON in a cell."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            pass  # a label that begins with a bracket
    if value is None or value == "":
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and isinstance(one.get("choices"), list):
            yield from _values(where, one["choices"])
        elif isinstance(one, str):
            yield one
        else:
            raise DataError(f"{where}: expected a choice, got {str(one)[:40]}; label texts with <Choices>")
