"""Batches that a model and its graph are both asked, and the comparison of their answers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import tiny_model

from prompt_kit.errors import BundleError
from prompt_kit.training.export import parity


def test_probe_batches_are_short_mixed_and_full():
    prompt_tokenizer = tiny_model(max_seq_length=24).prompt_tokenizer
    shapes = [batch["input_ids"].shape for batch in parity.probe_batches(prompt_tokenizer)]
    short = prompt_tokenizer.num_prompt_tokens + 1
    assert shapes == [(1, short), (1, short + (24 - short + 1) // 2 - 1), (1, 24), (3, short), (3, 24), (3, 24)]
    mixed = parity.probe_batches(prompt_tokenizer)[4]
    assert len(set((mixed["input_ids"] != 0).sum(axis=1).tolist())) == 3


def test_comparison_by_hand():
    expected = [np.array([[1.0, 0.0], [0.0, 2.0]])]
    assert parity.largest_difference(expected, [expected[0] + 1e-4], 1e-4, "x") == pytest.approx(1e-4)
    for actual in ([[1.0, 3e-4], [0.0, 2.0]], [[1.0, np.nan], [0.0, 2.0]], [[1.0, np.inf], [0.0, 2.0]]):
        with pytest.raises(BundleError, match="x: logits differ"):
            parity.largest_difference(expected, [np.array(actual)], 1e-4, "x")
    tie = [np.array([[1.0, 1.00001]])]
    with pytest.raises(BundleError, match="best label"):
        parity.largest_difference(tie, [tie[0][:, ::-1]], 1e-4, "x")
    assert parity.largest_difference(tie, [tie[0][:, ::-1]], 1e-4, "x", near_ties=True) == pytest.approx(1e-5)
    with pytest.raises(BundleError, match="shape"):
        parity.largest_difference(expected, [np.zeros((2, 3))], 1e-4, "x")
