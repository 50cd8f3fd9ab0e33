"""Train an ELECTRA: a small generator fills in hidden words, a discriminator tells which tokens are not the original ones.

Source: Clark et al., ELECTRA, ICLR 2020 (arXiv:2003.10555). As there, both share their embeddings, the generator has a
fraction of the discriminator's width, and the losses are added, the discriminator's with a large weight. Whole words are
hidden here (see masking.py), so it is words that are replaced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.atomic import replace_file
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.models.base import WEIGHTS_FILE
from prompt_kit.training.models.weights import load_safetensors, save_safetensors
from prompt_kit.training.objectives.replaced_tokens import detection_loss, replace_tokens, sample_tokens
from prompt_kit.training.pretraining.masked_batches import LengthBatchSampler
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel, PretrainingTrainer

GENERATOR_FILE = "generator.safetensors"  # of a checkpoint; a finished model has a folder, GENERATOR_FOLDER
GENERATOR_FOLDER = "generator"
DETECTION_WEIGHT = 50.0  # Clark et al.'s


class Electra(nn.Layer):
    """A generator and a discriminator that share their embeddings; the folder it saves is the discriminator's.

    Args:
        discriminator: a PaddleNLP ElectraDiscriminator.
        generator: a PaddleNLP ElectraForMaskedLM with as wide embeddings; it loses its own to the discriminator's.
        tokenizer: whose vocabulary is saved with them.
    """

    def __init__(self, discriminator: nn.Layer, generator: nn.Layer, tokenizer: Tokenizer):
        super().__init__()
        wide, narrow = discriminator.config, generator.config
        for name in ("vocab_size", "embedding_size", "max_position_embeddings", "type_vocab_size"):
            if getattr(wide, name) != getattr(narrow, name):
                raise ConfigError(
                    f"discriminator and generator share their embeddings, but {name} is {getattr(wide, name)} and "
                    f"{getattr(narrow, name)}; give two models that were trained together"
                )
        self.backbone, self.tokenizer = discriminator, tokenizer
        generator.electra.embeddings = discriminator.electra.embeddings
        self.generator = MaskedLanguageModel(generator, tokenizer)
        self.recipe: dict = {}

    def forward(self, input_ids, columns, rows, targets=None):
        """Vocabulary logits [N, V] of the generator at the hidden places; with `targets` a tuple: those, the
        discriminator's logits of "replaced" [B, L], which tokens are replaced [B, L] and which are none of padding [B, L].

        Args:
            input_ids: [B, L] int64, padded, some tokens hidden.
            columns, rows: the hidden places, see MaskedLanguageModel.
            targets: [N] int64, the original tokens there.
        """
        logits = self.generator(input_ids, columns, rows)
        if targets is None:
            return logits
        length, most = input_ids.shape[1], columns.shape[1]
        places = rows // most * length + paddle.gather(columns.reshape([-1]), rows)
        original = replace_tokens(input_ids, places, targets)
        corrupted = replace_tokens(original, places, sample_tokens(logits))
        states = self.backbone.electra(corrupted, token_type_ids=paddle.zeros_like(corrupted))
        predictions = self.backbone.discriminator_predictions
        found = predictions.dense_prediction(predictions.act(predictions.dense(states))).squeeze(-1)
        return logits, found, corrupted != original, original != self.tokenizer.pad_id

    def save_pretrained(self, folder, dtype: str = "float32") -> None:
        """The discriminator's folder, the recipe, and the generator's own weights in it."""
        MaskedLanguageModel.write(self.backbone, self.tokenizer, self.recipe, folder, dtype)
        with replace_file(Path(folder) / GENERATOR_FILE) as staging:
            save_safetensors(self._generator_state(), staging)

    def save_finished(self, folder, dtype: str = "float32") -> None:
        """The discriminator's folder with the generator's, a masked language model, in it."""
        MaskedLanguageModel.write(self.backbone, self.tokenizer, self.recipe, folder, dtype)
        self.generator.save_pretrained(Path(folder) / GENERATOR_FOLDER, dtype)
        (Path(folder) / GENERATOR_FILE).unlink(missing_ok=True)

    def load_weights(self, folder) -> None:
        """Replace all weights by those of a folder that `save_pretrained` wrote."""
        load_safetensors(dict(self.backbone.named_parameters()), Path(folder) / WEIGHTS_FILE)
        load_safetensors(self._generator_state(), Path(folder) / GENERATOR_FILE)

    def _generator_state(self) -> dict:
        """Name -> parameter, without the embeddings, which are the discriminator's."""
        named = self.generator.backbone.named_parameters()
        return {name: p for name, p in named if not name.startswith("electra.embeddings.")}


class ElectraTrainer(PretrainingTrainer):
    """A PretrainingTrainer of an Electra; its evaluation also gives the discriminator's area under the ROC curve.

    Args:
        model, args, lines, held_out, share, batch_tokens: see PretrainingTrainer.
        detection_weight: of the discriminator's loss beside the generator's.
    """

    def __init__(
        self, model: Electra, args, lines, held_out, share: float, batch_tokens: int, detection_weight: Optional[float] = None
    ):  # fmt: skip
        super().__init__(model, args, lines, held_out, share, batch_tokens)
        self.detection_weight = DETECTION_WEIGHT if detection_weight is None else detection_weight

    def compute_loss(self, model, inputs, return_outputs: bool = False):
        logits, found, replaced, real = model(**inputs)
        generating = F.cross_entropy(logits.astype("float32"), inputs["targets"])
        return generating + self.detection_weight * detection_loss(found, replaced, real)

    @paddle.no_grad()
    def _more_metrics(self) -> dict[str, float]:
        """Of the held-out lines, hidden as ever, what is drawn in their place fixed: the area under the ROC curve."""
        from sklearn.metrics import roc_auc_score

        held_out = self._held_out
        if held_out is None:
            return {}
        state = paddle.get_rng_state()
        paddle.seed(0)
        scores, answers = [], []
        for batch in LengthBatchSampler(held_out.lines.lengths, self.batch_tokens, 0):
            items = self._masked([held_out[item] for item in batch])
            inputs = self._prepare_inputs({name: paddle.to_tensor(array) for name, array in items.items()})
            _, found, replaced, real = self.model(**inputs)
            real = real.numpy()
            scores.append(found.astype("float32").numpy()[real])
            answers.append(replaced.numpy()[real])
        paddle.set_rng_state(state)
        right = np.concatenate(answers)
        # one kind alone has no curve: a generator that is never wrong, or a handful of tokens
        return {"auc": float(roc_auc_score(right, np.concatenate(scores)))} if 0 < right.sum() < len(right) else {}
