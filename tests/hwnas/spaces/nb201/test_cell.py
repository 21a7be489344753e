import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.spaces import ArchError
from hwnas.spaces.nb201.cell import (
    EDGES,
    OPS,
    from_text,
    live_edges,
    live_op_counts,
    live_op_statistics,
    op_counts,
    to_text,
    used_edges,
)

CELLS = st.lists(st.integers(0, len(OPS) - 1), min_size=6, max_size=6)
NONE, SKIP, CONV1, CONV3, POOL = range(5)
TEXT = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|nor_conv_3x3~1|skip_connect~2|"


def test_the_text_by_hand():
    assert from_text(TEXT).tolist() == [POOL, CONV1, SKIP, NONE, CONV3, SKIP]
    assert from_text(f"  {TEXT}\n").tolist() == [POOL, CONV1, SKIP, NONE, CONV3, SKIP]
    assert to_text(np.array([POOL, CONV1, SKIP, NONE, CONV3, SKIP])) == TEXT


@given(CELLS)
def test_text_and_back(genes):
    assert from_text(to_text(np.array(genes))).tolist() == genes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "3 nodes joined by '+', got 1"),
        ("|none~0|+|none~0|none~1|", "got 2"),
        (TEXT.replace("skip_connect~1|", ""), "node 2 must be 2 op(s)"),
        (TEXT.replace("avg_pool_3x3", "max_pool_3x3"), "node 1 has the op 'max_pool_3x3', not one of none, skip"),
        (TEXT.replace("skip_connect~2", "skip_connect~1"), "op 3 of node 3 must end in '~2', got 'skip_connect~1'"),
        (TEXT.replace("none~0", "none"), "must end in '~0', got 'none'"),
        (TEXT[1:], "node 1 must be 1 op(s), each between '|'"),
        (f"{TEXT}|", "node 3 must be 3 op(s)"),
    ],
)
def test_what_does_not_parse_is_named(text, words):
    with pytest.raises(ArchError) as said:
        from_text(text)
    assert words in str(said.value)
    assert len(str(said.value).splitlines()) == 1


@given(st.text(alphabet="|~+none012_skip", max_size=60))
def test_any_other_text_is_refused_in_one_line(text):
    with pytest.raises(ArchError) as said:
        from_text(text)
    assert len(str(said.value).splitlines()) == 1


def test_edges_by_hand():
    archs = np.array(
        [
            # 0->1   0->2   1->2   0->3   1->3  2->3
            [CONV3, CONV3, CONV3, CONV3, CONV3, CONV3],
            [CONV3, NONE, NONE, CONV1, NONE, NONE],  # node 1 leads nowhere, node 2 neither
            [NONE, NONE, CONV3, SKIP, CONV1, POOL],  # nodes 1 and 2 see zeros only, but the output waits for them
            [CONV3, CONV3, CONV3, NONE, NONE, NONE],  # nothing reaches the output
        ]
    )
    assert used_edges(archs).tolist() == [
        [True] * 6,
        [False, False, False, True, False, False],
        [False, False, True, True, True, True],
        [False] * 6,
    ]
    assert live_edges(archs).tolist() == [
        [True] * 6,
        [False, False, False, True, False, False],
        [False, False, False, True, False, False],
        [False] * 6,
    ]


def test_counts_by_hand():
    arch = from_text(TEXT)[None]
    counts = op_counts(arch).reshape(6, 5)
    assert counts.sum() == 6
    assert counts.argmax(axis=1).tolist() == arch[0].tolist()
    # none executes nothing where dead code is dropped; everything else of this cell is live
    assert live_op_counts(arch).reshape(6, 5).sum(axis=1).tolist() == [1, 1, 1, 0, 1, 1]
    assert np.array_equal(live_op_counts(arch), op_counts(arch, used_edges(arch)))


def test_live_ops_in_numbers():
    dead_3x3 = np.array([[CONV1, CONV3, NONE, SKIP, CONV3, NONE]])  # 0-2 leads nowhere
    macs = 1 + 9  # in 1x1 convolutions, of 54 at most
    assert live_op_statistics(dead_3x3)[0].tolist() == [1 / 6, 1 / 6, 1 / 6, 0, np.log1p(macs) / np.log1p(54)]
    assert live_op_statistics(np.full((1, 6), CONV3))[0].tolist() == [0, 0, 1, 0, 1]
    assert not live_op_statistics(np.full((1, 6), NONE)).any()


@given(st.lists(CELLS, min_size=1, max_size=20))
def test_live_is_used_is_there(cells):
    archs = np.array(cells)
    live, used = live_edges(archs), used_edges(archs)
    assert not (live & ~used).any()
    assert not (used & (archs == NONE)).any()
    # a path as every edge of it says
    for row, arch in zip(live, archs, strict=True):
        for edge in np.flatnonzero(row):
            source, node = EDGES[edge]
            assert source == 0 or any(row[e] and EDGES[e][1] == source for e in range(6)), arch
            assert node == 3 or any(row[e] and EDGES[e][0] == node for e in range(6)), arch
