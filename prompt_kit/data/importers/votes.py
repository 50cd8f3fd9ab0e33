"""Records -> the label or labels of each text: the majority's. What was merged, decided and left out is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from prompt_kit.data.dataset import Example
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
    """The labelled examples and the texts without a label, each text once, in the order of the records."""

    examples: list[Example] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def decide(records: Iterable[Record], several: bool = False) -> Decided:
    """Merge records of the same text and take the label that most votes name; a tie for the most decides nothing.

    With `several` a text has every label that more than half of its annotators gave it.
    """
    decided = Decided()
    counts = decided.counts
    votes: dict[str, Counter] = {}
    answers: Counter = Counter()
    skipped: set[str] = set()
    for record in records:
        text = clean(record.text)
        if is_empty(text):
            counts.empty += 1
            continue
        counts.spaces += has_breaks(record.text)
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
                decided.unlabelled.append(text)
        elif several:
            chosen = tuple(label for label, count in ballot.items() if 2 * count > answers[text])
            counts.outvoted += 0 < len(chosen) < len(ballot)
            counts.tied += not chosen
            if chosen:
                decided.examples.append(Example(text, chosen))
        elif len(best) == 2 and best[0][1] == best[1][1]:
            counts.tied += 1
        else:
            counts.outvoted += len(best) == 2
            decided.examples.append(Example(text, best[0][0]))
    return decided
