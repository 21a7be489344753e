"""The MBConv spaces that ship, by name."""

from __future__ import annotations

from hwnas.spaces.mbconv.space import FUSED, HSWISH, HSWISH_SE, RELU, RELU_SE, Block, Kind, MBConvSpace, Preset, Stage
from latency_tables import HwnasError

_KERNELS, _EXPANSIONS = (3, 5, 7), (3, 4, 6)


def _grid(kind: Kind, kernels: tuple[int, ...] = _KERNELS) -> tuple[Block, ...]:
    return tuple(Block(kind, expand, kernel) for expand in _EXPANSIONS for kernel in kernels)


# Squeeze-excite, hard-swish and fused blocks are why a table beats counting MACs: plain ReLU spaces do not need one.
_ANY_BLOCK = (*_grid(RELU), *_grid(HSWISH_SE), *_grid(FUSED, (3,)))


def _stages(widths: tuple[int, ...], strides: tuple[int, ...], depths: tuple[int, ...]) -> tuple[Stage, ...]:
    return tuple(Stage(w, s, depths, _ANY_BLOCK) for w, s in zip(widths, strides, strict=True))


def _mbconv_32() -> Preset:
    stages = _stages((24, 40, 64, 80), (2, 2, 1, 2), (1, 2))
    return Preset("mbconv-32", 32, 16, 1, False, stages, head_width=384)


def _mbconv_112() -> Preset:
    stages = _stages((24, 40, 64, 96), (2, 2, 2, 1), (1, 2, 3))
    return Preset("mbconv-112", 112, 16, 2, True, stages, head_width=512)


def _mbconv_224() -> Preset:
    stages = _stages((24, 40, 80, 112, 160), (2, 2, 2, 1, 2), (2, 3, 4))
    return Preset("mbconv-224", 224, 16, 2, True, stages, head_width=960, mix_width=1280)


def _ofa_mbv3() -> Preset:
    """Once-for-all's MobileNetV3 (Cai et al. 2020), width 1.0: kind fixed by stage, 3/5/7, 3/4/6, depth 2-4."""
    kinds = (RELU, RELU_SE, HSWISH, HSWISH_SE, HSWISH_SE)
    widths, strides = (24, 40, 80, 112, 160), (2, 2, 2, 1, 2)
    stages = tuple(Stage(w, s, (2, 3, 4), _grid(k)) for w, s, k in zip(widths, strides, kinds, strict=True))
    return Preset("ofa-mbv3", 224, 16, 2, True, stages, head_width=960, mix_width=1280)


PRESETS = {"mbconv-32": _mbconv_32, "mbconv-112": _mbconv_112, "mbconv-224": _mbconv_224, "ofa-mbv3": _ofa_mbv3}


def mbconv_space(name: str, num_classes: int = 10) -> MBConvSpace:
    """One of the spaces that ship; raises `HwnasError` naming them all for an unknown one."""
    if name not in PRESETS:
        raise HwnasError(f"unknown space {name!r}; there are {', '.join(PRESETS)}")
    return MBConvSpace(PRESETS[name](), num_classes)
