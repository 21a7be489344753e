"""Distributions over the networks of a space that are learned by gradient, and held to budgets by projection."""

from hwnas.search.differentiable._base import Distribution as Distribution
from hwnas.search.differentiable._base import draw_spread as draw_spread
from hwnas.search.differentiable._base import evenly as evenly
from hwnas.search.differentiable.dirichlet import DirichletDistribution as DirichletDistribution
from hwnas.search.differentiable.gaussian import GaussianDistribution as GaussianDistribution
from hwnas.search.differentiable.pruned import PrunedDistribution as PrunedDistribution
from hwnas.search.differentiable.softmax import AnnealedDistribution as AnnealedDistribution
from hwnas.search.differentiable.softmax import SoftmaxDistribution as SoftmaxDistribution
