"""The main job, stage by stage, in a run folder."""

from hwnas.pipeline.folder import Display, RunFolder
from hwnas.pipeline.outcome import Outcome
from hwnas.pipeline.run import Run
from hwnas.pipeline.settings import Settings

__all__ = ["Display", "Outcome", "Run", "RunFolder", "Settings"]
