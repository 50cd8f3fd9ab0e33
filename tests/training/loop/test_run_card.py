"""The README.md of a training folder: written where a model lies, and left alone where its owner wrote it."""

from __future__ import annotations

from tiny import SOFT, tiny_model

from prompt_kit.training.export.model_card import MARKER
from prompt_kit.training.loop.results import Results
from prompt_kit.training.loop.run_card import is_ours, write_card


def test_a_card_is_of_a_finished_model_alone(tmp_path):
    model, results = tiny_model(), Results(str(tmp_path), {})
    write_card(model, results)
    assert list(tmp_path.iterdir()) == []
    model.save_pretrained(tmp_path)
    write_card(model, results)
    assert is_ours(tmp_path / "README.md") and SOFT in (tmp_path / "README.md").read_text("utf-8")


def test_a_card_is_written_anew_until_its_owner_takes_it_over(tmp_path):
    model, results = tiny_model(), Results(str(tmp_path), {"mode": "prompt"})
    model.save_pretrained(tmp_path)
    card = tmp_path / "README.md"
    for before, replaced in ((f"old {MARKER}", True), ("mine", False)):
        card.write_text(before, encoding="utf-8")
        write_card(model, results)
        assert (card.read_text("utf-8") != before) is replaced
    results.writes = False
    card.unlink()
    write_card(model, results)
    assert not card.exists()


def test_whose_card_it_is(tmp_path):
    card = tmp_path / "README.md"
    assert not is_ours(card)
    card.write_bytes(MARKER.encode() + b"\xff")
    assert not is_ours(card)
