"""Records -> the label or labels of each text: the majority's. What was merged, decided and left out is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Optional

from prompt_kit.data.dataset import AText, Example
from prompt_kit.data.importers.records import Record, clean, has_breaks
from prompt_kit.data.texts import is_empty


@dataclass
class Counts:
    """How many texts, or for `repeated` and `spaces` records, something happened to."""

    repeated: int = 0  # the same text again: its votes are added, so that it stands once and not in train and test
    outvoted: int = 0  # annotators disagreed, and more of them chose one label than any other
    tied: int = 0  # as many chose another label, or of several labels none has a majority: left out
    skipped: int = 0  # the tool says that its annotators skipped it: left out
    empty: int = 0  # nothing to see in it: left out
    spaces: int = 0  # tabs and line breaks in it became spaces

    def notes(self) -> list[str]:
        """What happened, a phrase each."""
        phrases = (
            ("texts decided by the majority", self.outvoted),
            ("texts left out because their votes tie", self.tied),
            ("skipped tasks left out", self.skipped),
            ("empty texts left out", self.empty),
            ("further records of a text, counted as votes", self.repeated),
            ("texts whose tabs or line breaks are now spaces", self.spaces),
        )
        return [f"{what}: {count}" for what, count in phrases if count]


@dataclass
class Decided:
    """The labelled examples and the texts without a label, each text (or pair of texts) once, in the order of the records."""

    examples: list[Example] = field(default_factory=list)
    unlabelled: list[AText] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def decide(records: Iterable[Record], several: bool = False) -> Decided:
    """Merge records of the same text and take the label that most votes name; a tie for the most decides nothing.

    With `several` a text has every label that more than half of its annotators gave it.
    """
    decided = Decided()
    counts = decided.counts
    votes: dict[tuple[str, Optional[str]], Counter] = {}
    answers: Counter = Counter()
    skipped: set[tuple[str, Optional[str]]] = set()
    for record in records:
        given = [one for one in (record.text, record.text_b) if one is not None]
        cleaned = [clean(one) for one in given]
        if any(map(is_empty, cleaned)):
            counts.empty += 1
            continue
        text = (cleaned[0], cleaned[1] if len(cleaned) == 2 else None)
        counts.spaces += any(map(has_breaks, given))
        counts.repeated += text in votes
        ballot = votes.setdefault(text, Counter())
        ballot.update(label for label in map(clean, record.votes) if label)
        answers[text] += record.answers if record.votes else 0
        if record.skipped:
            skipped.add(text)
    for text, ballot in votes.items():
        best = ballot.most_common(2)
        if not best:
            if text in skipped:
                counts.skipped += 1
            else:
                text_a, text_b = text
                decided.unlabelled.append(text_a if text_b is None else Example(text_a, text_b=text_b))
        elif several:
            chosen = tuple(label for label, count in ballot.items() if 2 * count > answers[text])
            counts.outvoted += 0 < len(chosen) < len(ballot)
            counts.tied += not chosen
            if chosen:
                decided.examples.append(Example(text[0], chosen, text[1]))
        elif len(best) == 2 and best[0][1] == best[1][1]:
            counts.tied += 1
        else:
            counts.outvoted += len(best) == 2
            decided.examples.append(Example(text[0], best[0][0], text[1]))
    return decided
