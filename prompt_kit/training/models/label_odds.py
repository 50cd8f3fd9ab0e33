"""Cosines as log-odds: how a head of cosines answers each label by itself, where a text may have several.

A softmax makes the labels share one text's probability. Here each label is asked for alone: is it there or not? Let the
states of the texts that have label c be von Mises-Fisher around its direction, with one concentration for all labels, and
those of the others uniform. Then by Bayes' rule the log-odds of the label are linear in the cosine,

    log p(c | x) / p(not c | x) = scale * cos(x, w_c) + bias,

so the cosine head's own two constants are all it takes. They are fitted by logistic regression (Platt scaling) on the
cosines of each training example to directions that are made without it; a bias of each label's own is then learned.

Sources: Banerjee et al., Clustering on the Unit Hypersphere using von Mises-Fisher Distributions, JMLR 2005; Platt,
Probabilistic Outputs for Support Vector Machines, 1999. One scale and bias for all labels, since a label of few examples
says too little of its own, is ours.
"""

from __future__ import annotations

import numpy as np

from prompt_kit.inference.prototypes import WORD_EXAMPLES, unit
from prompt_kit.training.models.cosine_head import SCALE

# Of a cosine, where no example says better: the log-odds of a label are 0 where its cosine is 0.2.
BIAS = -0.2 * SCALE
_LEAST, _MOST = 1.0, 24.0  # of the scale: a fit to a handful of texts that lie apart has no bound of its own


def start_of_sets(
    words: np.ndarray, examples: np.ndarray, targets: np.ndarray, texts: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """(directions [C, D], scale, bias) that a cosine head starts from.

    Without examples the scale is `SCALE`, and the bias lets a text have one label in the mean over the unlabelled texts.

    Args:
        words: [C, D] of length 1.
        examples, targets: [N, D] centred states of length 1 and their label sets [N, C]; there may be none.
        texts: [U, D] centred states of unlabelled texts, of which there may be none where there are examples.
    """
    if not len(examples):
        return words, SCALE, bias_for(SCALE * texts @ words.T, 1.0 / len(words))
    weights = share_examples(targets)
    scale, bias = fit_odds(leave_one_out_of_sets(words, examples, weights), targets)
    return unit(weights.T @ examples + WORD_EXAMPLES * words), scale, bias


def share_examples(targets: np.ndarray) -> np.ndarray:
    """Label sets [N, C] -> weights [N, C] of each example in its labels' directions: 1 in all, so one of two counts half.

    A text of two topics lies between their directions; texts of one say more of where a direction is.
    """
    return targets / np.maximum(targets.sum(axis=1, keepdims=True), 1.0)


def leave_one_out_of_sets(words: np.ndarray, examples: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[N, C] cosines of each example to the directions that `cosine_head.combine` makes without it.

    Args:
        words: [C, D] of length 1.
        examples: [N, D] centred states of length 1.
        weights: [N, C] of the examples in the labels' directions.
    """
    sums = weights.T @ examples + WORD_EXAMPLES * words
    to_sums = examples @ sums.T
    # without w x, of a sum s: (x s - w) / |s - w x|, and |s - w x|^2 = |s|^2 - 2 w x s + w^2
    squares = (sums**2).sum(axis=1) - 2 * weights * to_sums + weights**2
    return (to_sums - weights) / np.sqrt(np.maximum(squares, 1e-12))


def fit_odds(cosines: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """(scale, bias) that make the label sets most probable, given cosines [N, C] of examples that were left out.

    A scale of `SCALE`, and a bias to match, where every text has all the labels or none.
    """
    from sklearn.linear_model import LogisticRegression

    there = targets.ravel() > 0.5
    if there.all() or not there.any():
        return SCALE, SCALE if there.all() else -SCALE
    model = LogisticRegression(C=1e6).fit(cosines.reshape(-1, 1), there)
    scale = float(np.clip(model.coef_[0, 0], _LEAST, _MOST))
    return scale, bias_for(scale * cosines, float(there.mean()))


def bias_for(logits: np.ndarray, share: float) -> float:
    """The bias that makes the labels [N, C] of these logits have a mean probability of `share`, 0 < share < 1.

    At the fitted scale this is logistic regression's own bias, whose condition for the best one it is.
    """
    low, high = -float(logits.max()) - 40.0, -float(logits.min()) + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = (1.0 / (1.0 + np.exp(-np.clip(logits + middle, -60, 60)))).mean()
        low, high = (middle, high) if mean < share else (low, middle)
    return (low + high) / 2
