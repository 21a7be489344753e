"""The main job, stage by stage, in a run folder."""

from hwnas.run.folder import Display, RunFolder
from hwnas.run.outcome import Outcome
from hwnas.run.run import Run
from hwnas.run.settings import Settings

__all__ = ["Display", "Outcome", "Run", "RunFolder", "Settings"]
