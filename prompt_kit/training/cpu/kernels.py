"""What is put in the place of a language model's layers so that a CPU trains it faster, behind one switch each.

`benchmarks/train_speed.py --ablate` measures what each is worth; docs/speed.md has the table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Optional

import paddle
from paddle import nn

from prompt_kit.training.cpu.dropout import DropoutMasks, slow_down_dropout, speed_up_dropout
from prompt_kit.training.cpu.last_layer import restore_layers, restrict_last_layer, take_rows
from prompt_kit.training.cpu.packing import Packing

# last_layer: of the encoder's last layer only the rows that are read; packed_layer: no padding, and a backward pass
# written by hand (needs last_layer); dropout: masks from numpy; trained_rows: only the embeddings that occur
KERNELS = ("last_layer", "packed_layer", "dropout", "trained_rows")
_used = set(KERNELS)


def uses(kernel: str) -> bool:
    """Whether models and trainers that are made now have the kernel, one of KERNELS."""
    return kernel in _used


@contextlib.contextmanager
def without(*kernels: str) -> Iterator[None]:
    """Context in which models and trainers are made without these kernels: they compute the same, slower."""
    removed = _used.intersection(kernels)
    _used.difference_update(removed)
    try:
        yield
    finally:
        _used.update(removed)


class CPUKernels:
    """An encoder with the kernels installed, which computes some rows of its last layer alone.

    Args:
        encoder: an ErnieModel, BertModel, …; its layers are changed where they stand, so that parameters keep their names.
        pad_id: of a padded position, for rows without padding; None: padding is computed too.
    """

    def __init__(self, encoder: nn.Layer, pad_id: Optional[int] = None):
        self._encoder, self._pad_id = encoder, pad_id if uses("packed_layer") else None
        self.masks = DropoutMasks(fast=uses("dropout"))
        # A dictionary, since a tensor that is an attribute of a Layer would become a constant of the static graph.
        self._batch: dict = {}
        self._restricted = uses("last_layer") and restrict_last_layer(
            encoder, lambda: self._batch.get("columns"), lambda: self._batch.get("packing")
        )

    def speed_up_dropout(self, layer: nn.Layer) -> None:
        """Have the dropouts in `layer` take their masks from here."""
        if uses("dropout"):
            speed_up_dropout(layer, self.masks)

    def rows(self, input_ids: paddle.Tensor, columns: paddle.Tensor, **inputs) -> paddle.Tensor:
        """The encoder's states [B, M, H] of input_ids [B, L] at columns [B, M]. A pass begins new dropout masks."""
        self._batch["columns"] = columns
        self.masks.restart()
        if self._pad_id is not None and paddle.in_dynamic_mode() and input_ids.place.is_cpu_place():
            self._batch["packing"] = Packing((input_ids != self._pad_id).numpy(), self.masks)
        try:
            states = self._encoder(input_ids, **inputs)
        finally:
            self._batch.clear()  # else the encoder would go on computing these rows alone
        states = states[0] if isinstance(states, (tuple, list)) else states  # ELECTRA returns the states alone
        return states if self._restricted else take_rows(states, columns)

    def remove(self, *layers: nn.Layer) -> None:
        """Give the encoder, and `layers` whose dropout was sped up, Paddle's own layers back."""
        restore_layers(self._encoder)
        self._restricted, self._pad_id = False, None
        for layer in (self._encoder, *layers):
            slow_down_dropout(layer)
