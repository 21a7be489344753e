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
