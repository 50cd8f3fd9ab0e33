"""Which objectives a run has: the one place that knows them all."""

from __future__ import annotations

from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.objectives.binary_cross_entropy import BinaryCrossEntropy
from prompt_kit.training.objectives.cross_entropy import CrossEntropy
from prompt_kit.training.objectives.objective import Objective
from prompt_kit.training.objectives.prototype import Prototype
from prompt_kit.training.objectives.r_drop import RDrop, RDropOfSets
from prompt_kit.training.objectives.rgl import RGL


def choose_objectives(args: PromptTrainingArguments, model: TextClassifier) -> list[Objective]:
    """The terms that `args` turn on and `model` can have; the one that an evaluation's loss is of comes first."""
    several = model.task.several
    terms: list[Objective] = [BinaryCrossEntropy() if several else CrossEntropy()]
    if model.has_prototypes:
        terms.append(Prototype(args.alpha_prototype, args.episode_shots))
    if args.use_rdrop:
        terms.append((RDropOfSets if several else RDrop)(args.alpha_rdrop))
    if args.use_rgl:
        terms.append(RGL(args.alpha_rgl))
    return terms
