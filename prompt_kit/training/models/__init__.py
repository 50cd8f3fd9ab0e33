"""What is trained: a language model, its head, and how a folder becomes one again."""

# every kind of model registers itself, so that from_pretrained of any of them loads the kind that a folder holds
from prompt_kit.training.models import finetune_model, prompt_model, replaced_token_model  # noqa: F401
