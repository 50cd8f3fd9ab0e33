"""Fixtures of the training tests, made of the tiny language models in tiny.py."""

from __future__ import annotations

import socket

import pytest

pytest.importorskip("paddlenlp")

from scripts import load_script
from tiny import EXAMPLES, write_tiny_folder
from train_script import QUIET


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A language model's folder as a user has one. Read only: a test that changes it works on a copy."""
    return write_tiny_folder(tmp_path_factory.mktemp("tiny") / "ernie-tiny")


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """A data folder of three classes."""
    folder = tmp_path_factory.mktemp("data")
    lines = [f"{example.text_a}\t{example.label}" for example in EXAMPLES]
    (folder / "train.txt").write_text("\n".join(lines * 2) + "\n", encoding="utf-8")
    (folder / "dev.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "test.txt").write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    (folder / "data.txt").write_text("\n".join(example.text_a for example in EXAMPLES) + "\n", encoding="utf-8")
    (folder / "label.txt").write_text("car==汽车\nsports==体育\nfinance==财经\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def train_main():
    return load_script("train").main


@pytest.fixture
def train(train_main, tiny_folder, tiny_data):
    """Run train.py's main on the tiny model and data."""

    def call(flags: str, model=tiny_folder, data=tiny_data, length: str = "--max_seq_length 32"):
        argv = f"{QUIET} {flags} {length}".split() + (["--data_dir", str(data)] if data else [])
        train_main(argv + (["--model_name_or_path", str(model)] if model else []))

    return call


@pytest.fixture
def resume(train):
    """The same without naming a model."""
    return lambda flags, **options: train(flags, model=None, length="", **options)


@pytest.fixture
def no_network(monkeypatch):
    """Every attempt to connect fails at once, and is listed in what this returns."""
    attempts = []

    def refuse(*args, **kwargs):
        attempts.append(args)
        raise OSError("the network is blocked in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return attempts
