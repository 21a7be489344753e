"""Who does expensive jobs, such as trainings: this process, or many on a Ray cluster."""

from hwnas.workers._base import JobFailed, Workers
from hwnas.workers.by_name import make_workers
from hwnas.workers.in_process import InProcess
from hwnas.workers.journaled import journaled
from hwnas.workers.ray_workers import RayWorkers

__all__ = ["InProcess", "JobFailed", "RayWorkers", "Workers", "journaled", "make_workers"]
