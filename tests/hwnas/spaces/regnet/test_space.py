"""RegNet's design space: stages of grouped bottlenecks."""

import numpy as np
import pytest

from hwnas.spaces import ArchError, every_network, regnet_space
from hwnas.spaces.contract import check_space
from hwnas.spaces.cost import count_params
from hwnas.spaces.regnet.space import RegNetStage
from hwnas.training import Supernet
from latency_tables import HwnasError

TEXT = "regnet-32:d2w32g8/d3w64g16/d1w128g4"


@pytest.mark.parametrize("name", ["regnet-32", "regnet-224"])
def test_presets_keep_the_contract(name):
    check_space(regnet_space(name), samples=3)


def test_ops_by_hand():
    space = regnet_space("regnet-32")
    arch = space.from_text(TEXT)
    assert space.to_text(arch) == TEXT
    ops = space.ops(arch)
    assert [op.kind for op in ops] == ["stem", *["bottleneck"] * 6, "head"]
    assert [op.in_shape for op in ops[1:]] == [
        *[(16, 16, 16), (32, 16, 16)],
        *[(32, 16, 16), (64, 8, 8), (64, 8, 8)],
        (64, 8, 8),
        (128, 4, 4),
    ]
    assert [op["stride"] for op in ops[1:-1]] == [1, 1, 2, 1, 1, 2]


def test_parameters_by_hand():
    space = regnet_space("regnet-32")
    op = space.ops(space.from_text(TEXT))[3]  # 32 -> 64 channels, group width 16, stride 2
    convolutions = 32 * 64 + 9 * 16 * 64 + 64 * 64 + 32 * 64
    assert count_params(space.build_op(op)) == convolutions + 4 * 2 * 64  # four batch norms


def test_features_rise_from_0_to_1():
    space = regnet_space("regnet-32")
    least, most = space.from_text("regnet-32:d1w16g4/d1w32g4/d1w64g4"), [3, 3, 2] * 3
    assert space.encode(np.array([least, most])).tolist() == [[0.0] * 9, [1.0] * 9]


def test_it_can_be_listed_and_shared():
    space = regnet_space("regnet-32")
    assert every_network(space) is None  # 110,592
    assert len(every_network(space, 200_000)) == space.size == 48**3
    Supernet(space)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("regnet-32:d2w32g8/d3w64g16", "has 3 stages between '/', got 2"),
        (TEXT.replace("d3", "d9"), "stage 2 is 'd9w64g16'; its depth must be one of 1, 2, 3, 4"),
        (TEXT.replace("w128", "w100"), "stage 3 .* its width must be one of 64, 96, 128, 192"),
        (TEXT.replace("g8", "g7"), "stage 1 .* its group width must be one of 4, 8, 16"),
        (TEXT.replace("d2", "xd2"), "not like d2w32g8"),
        (TEXT.replace("regnet-32", "regnet-33"), "starts with 'regnet-32:'"),
    ],
)
def test_what_does_not_parse(text, says):
    with pytest.raises(ArchError, match=says) as said:
        regnet_space("regnet-32").from_text(text)
    assert len(str(said.value).splitlines()) == 1


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match="group widths that divide"):
        RegNetStage((1,), (24,), (16,))
    with pytest.raises(HwnasError, match="there are regnet-32, regnet-224"):
        regnet_space("regnet-33")
