"""Mixup (Zhang et al. 2018, 1710.09412) and CutMix (Yun et al. 2019, 1905.04899) of a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwnas.training.augmentation import Augmentation


def mixed(
    images: Tensor, labels: Tensor, num_classes: int, how: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Images [n, 3, h, w], labels [n] as they were, and soft targets float [n, num_classes]; on the images' device.

    One share is drawn per batch. Images 0 and 1, 2 and 3, ... are mixed with each other, each way round: a training
    batch is shuffled, and a part of it that begins at an even image is mixed as the whole one is. A last odd one stays.
    """
    cut = bool(how.cutmix > 0 and (how.mixup == 0 or rng.random() < 0.5))
    alpha = how.cutmix if cut else how.mixup
    share = float(rng.beta(alpha, alpha))
    own = torch.arange(len(images), device=images.device)
    partner = torch.where((own ^ 1) < len(images), own ^ 1, own)
    others = images[partner]
    if cut:
        rows, columns, share = _box(images.shape[2], images.shape[3], share, rng)
        images = images.clone(memory_format=torch.preserve_format)
        images[:, :, rows, columns] = others[:, :, rows, columns]
    else:
        images = torch.lerp(others, images, share)
    targets = functional.one_hot(labels, num_classes).float()
    return images, labels, torch.lerp(targets[partner], targets, share)


def _box(height: int, width: int, share: float, rng: np.random.Generator) -> tuple[slice, slice, float]:
    """Rows and columns of a box of 1 - share of the area around any pixel, and the share left once it is cut off."""
    spans = []
    for side in (height, width):
        centre, reach = int(rng.integers(side)), int(side * (1 - share) ** 0.5) // 2
        spans.append(slice(max(0, centre - reach), min(side, centre + reach)))
    rows, columns = spans
    return rows, columns, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
