"""What cells compute: dead ops do not matter, and some cells compute nothing; held against torch itself."""

import numpy as np
import torch

from hwnas.spaces import NasBench201

SPACE = NasBench201()


def cell(text):
    return SPACE.from_text(text)[None]


CONV = cell("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|")
CONV_AND_DEAD = cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|none~2|")
NOTHING = cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|none~1|none~2|")


def answers(arch, image_seed):
    torch.manual_seed(0)
    network = SPACE.build(arch[0])  # batch norm of the batch itself: without training, signals would die out
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(image_seed))
    with torch.no_grad():
        return network(images)


def test_ops_on_no_live_path_do_not_count():
    assert np.array_equal(SPACE.functions(CONV), SPACE.functions(CONV_AND_DEAD))
    assert not np.array_equal(SPACE.functions(CONV), SPACE.functions(NOTHING))


def test_a_cell_that_computes_nothing_answers_the_same_to_any_image():
    assert SPACE.computes(np.concatenate([CONV, CONV_AND_DEAD, NOTHING])).tolist() == [True, True, False]
    assert torch.equal(answers(NOTHING, 1), answers(NOTHING, 2))
    assert not torch.equal(answers(CONV, 1), answers(CONV, 2))
