import pytest


class Listener:
    """A display that remembers what it was told."""

    def __init__(self):
        self.said, self.stages = [], []

    def say(self, text):
        self.said.append(text)

    def stage(self, title):
        from contextlib import nullcontext

        self.stages.append(title)
        return nullcontext(lambda done, total, what: None)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def little_effort():
    """Settings of a run that is as short as runs can be."""
    return {
        "limit": 300,
        "rounds": 1,
        "calibration_networks": 15,
        "heldout_networks": 2,
        "supernet_epochs": 1,
        "pairs": 10,
        "finalists": 2,
        "train_epochs": 1,
    }
