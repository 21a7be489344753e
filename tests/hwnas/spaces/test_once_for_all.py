"""ofa-mbv3 against once-for-all's MobileNetV3, counted from the published facts and not from our code."""

import numpy as np
import pytest
from torch import nn

from hwnas.spaces import mbconv_space
from hwnas.spaces.cost import count_params
from hwnas.spaces.modules import SqueezeExcite

SPACE = mbconv_space("ofa-mbv3", num_classes=1000)
WIDTHS = (24, 40, 80, 112, 160)
STRIDES = (2, 2, 2, 1, 2)
HAS_SE = (False, True, False, True, True)
CODES = ("mb", "rs", "hs", "se", "se")


def eighths(channels):
    """Nearest multiple of 8, and the next one up where that loses more than a tenth."""
    nearest = max(8, (channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def block_params(inputs, outputs, expand, kernel, se):
    hidden = eighths(inputs * expand)
    expansion = inputs * hidden + 2 * hidden
    depthwise = hidden * kernel**2 + 2 * hidden
    squeezed = eighths(hidden // 4)
    attention = hidden * squeezed + squeezed + squeezed * hidden + hidden if se else 0
    return expansion + depthwise + attention + hidden * outputs + 2 * outputs


def network_params(stages, classes=1000):
    total = 3 * 16 * 9 + 2 * 16  # stem
    total += 16 * 9 + 2 * 16 + 16 * 16 + 2 * 16  # first block: no expansion
    inputs = 16
    for width, se, blocks in zip(WIDTHS, HAS_SE, stages, strict=True):
        for expand, kernel in blocks:
            total += block_params(inputs, width, expand, kernel, se)
            inputs = width
    total += 160 * 960 + 2 * 960  # final expansion
    total += 960 * 1280  # feature mixing: neither batch norm nor bias
    return total + 1280 * classes + classes


def text_of(stages):
    blocks = [[f"{code}{e}k{k}" for e, k in blocks] for code, blocks in zip(CODES, stages, strict=True)]
    return "ofa-mbv3:" + "/".join(map(",".join, blocks))


LARGEST = [[(6, 7)] * 4] * 5
SMALLEST = [[(3, 3)] * 2] * 5
MIDDLE = [
    [(4, 3), (3, 5)],
    [(6, 5), (3, 7), (4, 3)],
    [(3, 7), (6, 3), (4, 5), (3, 3)],
    [(4, 7), (4, 5)],
    [(6, 3), (3, 5), (6, 7)],
]


@pytest.mark.parametrize("stages", [SMALLEST, MIDDLE, LARGEST], ids=["smallest", "middle", "largest"])
def test_parameters(stages):
    assert count_params(SPACE.build(SPACE.from_text(text_of(stages)))) == network_params(stages)


def test_counts_that_were_worked_out_on_paper():
    assert block_params(16, 24, 3, 3, se=False) == (768 + 96) + (432 + 96) + (1152 + 48)
    # 24 -> 40: hidden 72; a quarter is 18, 16 would lose more than a tenth of it, so 24
    assert block_params(24, 40, 3, 3, se=True) == (1728 + 144) + (648 + 144) + (1728 + 24 + 1728 + 72) + (2880 + 80)


def test_sizes():
    assert SPACE.size == (9**2 + 9**3 + 9**4) ** 5
    assert mbconv_space("mbconv-32").size == (21 + 21**2) ** 4 >= 1e8
    assert mbconv_space("mbconv-224").size == (21**2 + 21**3 + 21**4) ** 5 >= 1e18


def test_shapes_strides_and_kinds():
    arch = SPACE.from_text(text_of(LARGEST))
    stem, first, *blocks, head = SPACE.ops(arch)
    assert stem.in_shape == (3, 224, 224)
    assert (stem["out"], stem["stride"]) == (16, 2)
    assert first.in_shape == (16, 112, 112)
    assert (first["expand"], first["kernel"], first["out"], first["stride"], first["se"]) == (1, 3, 16, 1, 0)
    assert [op["out"] for op in blocks] == list(np.repeat(WIDTHS, 4))
    assert [op["stride"] for op in blocks[::4]] == list(STRIDES)
    assert {op["stride"] for i, op in enumerate(blocks) if i % 4} == {1}
    assert [op["hswish"] for op in blocks] == [0] * 8 + [1] * 12
    assert [bool(op["se"]) for op in blocks] == list(np.repeat(HAS_SE, 4))
    assert head.in_shape == (160, 7, 7)
    assert (head["width"], head["mix"], head["classes"]) == (960, 1280, 1000)


def test_layers_of_the_largest_network():
    network = SPACE.build(SPACE.from_text(text_of(LARGEST)))
    activations = [type(m) for b in network[1:10] for m in b.layers if isinstance(m, nn.ReLU | nn.Hardswish)]
    assert set(activations) == {nn.ReLU}  # the first block and stages 24, 40
    activations = [type(m) for b in network[10:22] for m in b.layers if isinstance(m, nn.ReLU | nn.Hardswish)]
    assert set(activations) == {nn.Hardswish}
    assert [isinstance(b.layers[-3], SqueezeExcite) for b in network[2:22]] == list(np.repeat(HAS_SE, 4))
    assert isinstance(network[0][2], nn.Hardswish)
    convs = [m for m in network[-1] if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.bias) for c in convs] == [(160, 960, None), (960, 1280, None)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network[-1]) == 1
    residuals = [b.residual for b in network[2:22]]
    assert residuals == [False, True, True, True] * 5


def test_every_kernel_expansion_and_depth_is_there():
    for index, code in enumerate(CODES):
        stage = SPACE.preset.stages[index]
        assert stage.depths == (2, 3, 4)
        assert {b.text for b in stage.blocks} == {f"{code}{e}k{k}" for e in (3, 4, 6) for k in (3, 5, 7)}
