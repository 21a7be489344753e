import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from hwnas.spaces import ArchError, mbconv_space, unique_genotypes
from hwnas.spaces.modules import MBConv, SqueezeExcite
from latency_tables import HwnasError

SPACE = mbconv_space("mbconv-32")
GENOTYPES = st.tuples(*(st.integers(0, c - 1) for c in SPACE.cardinalities)).map(np.array)


def described(text):
    """[(kind code, expansion, kernel), ...] of all blocks, read off the text alone."""
    blocks = text.partition(":")[2].replace("/", ",").split(",")
    return [(b[:2], *map(int, b[2:].split("k"))) for b in blocks]


@settings(deadline=None)
@given(GENOTYPES)
def test_genotype_text_and_ops_say_the_same(raw):
    text = SPACE.to_text(raw)
    arch = SPACE.from_text(text)
    assert SPACE.to_text(arch) == text
    assert np.array_equal(arch, SPACE.check(raw))
    stem, *blocks, head = SPACE.ops(arch)
    assert (stem.kind, head.kind) == ("stem", "head")
    said = described(text)
    assert [(op["expand"], op["kernel"]) for op in blocks] == [(e, k) for _, e, k in said]
    flags = {"mb": ("mbconv", 0, 0), "se": ("mbconv", 1, 1), "fu": ("fused", 0, 0)}
    assert [(op.kind, op["hswish"], op["se"]) for op in blocks] == [flags[code] for code, _, _ in said]
    assert [len(s.split(",")) for s in text.partition(":")[2].split("/")] == [d + 1 for d in raw[[0, 3, 6, 9]]]


@settings(deadline=None, max_examples=20)
@given(GENOTYPES)
def test_the_module_is_what_the_text_says(raw):
    text, network = SPACE.to_text(raw), SPACE.build(raw)
    blocks = [layer for layer in network if isinstance(layer, MBConv)]
    for (code, expand, kernel), block, op in zip(described(text), blocks, SPACE.ops(raw)[1:-1], strict=True):
        convs = [m for m in block.layers if isinstance(m, nn.Conv2d)]
        assert convs[0].out_channels == expand * op.in_shape[0]
        spatial = [c for c in convs if c.kernel_size != (1, 1)]
        assert [c.kernel_size for c in spatial] == [(kernel, kernel)]
        assert spatial[0].groups == (1 if code == "fu" else spatial[0].in_channels)
        assert any(isinstance(m, SqueezeExcite) for m in block.layers) == (code == "se")
        assert any(isinstance(m, nn.Hardswish) for m in block.layers) == (code == "se")
        assert convs[-1].out_channels == op["out"]


def parsed(text):
    """The genotype, or None when it is refused as it should be."""
    message = ""
    try:
        return SPACE.from_text(text)
    except ArchError as e:
        message = str(e)
    assert len(message.splitlines()) == 1
    return None


@settings(deadline=None)
@given(
    st.text() | st.text().map("mbconv-32:".__add__) | st.text("mbsefu3467k,/", max_size=60).map("mbconv-32:".__add__)
)
@example("mbconv-32:///")
@example("mbconv-32:0-1-2")
@example("mbconv-112:mb3k3/mb3k3/mb3k3/mb3k3")
def test_any_text_is_read_or_refused_in_one_line(text):
    arch = parsed(text)
    if arch is not None:
        assert np.array_equal(SPACE.check(arch), arch)


@settings(deadline=None)
@given(GENOTYPES, st.data())
def test_a_text_with_one_character_changed_is_another_network_or_refused(raw, data):
    text = SPACE.to_text(raw)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("0134567mbsefuk,/-:é"))
    changed = text[:place] + letter + text[place + 1 :]
    arch = parsed(changed)
    if arch is not None:
        assert SPACE.to_text(arch) == changed  # what is read is what was written: nothing is skipped or guessed


def test_spaces_in_a_text_are_ignored():
    tight = "mbconv-32:mb3k3,se6k7/fu4k3/mb6k5,mb3k3/se3k3"
    assert np.array_equal(SPACE.from_text(tight), SPACE.from_text(f" {tight.replace(',', ', ').replace('/', ' / ')}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mbconv-112:mb3k3/mb3k3/mb3k3/mb3k3", "starts with 'mbconv-32:'"),
        ("mbconv-32:mb3k3/mb3k3/mb3k3", "4 stages between '/', got 3"),
        ("mbconv-32:mb3k3/mb3k3,mb3k3,mb3k3/mb3k3/mb3k3", "stage 2 of mbconv-32 has 1 or 2 blocks, got 3"),
        ("mbconv-32:mb3k3/mb3k3/mb3k3,fu3k5/mb3k3", "block 2 of stage 3 is 'fu3k5', not one of mb3k3, "),
    ],
)
def test_refusals_say_where(text, message):
    with pytest.raises(ArchError, match=message):
        SPACE.from_text(text)


def test_genes_of_the_plain_text_form_are_checked(conv_space):
    space = conv_space()
    for body, message in (
        ("0-0-0", "4 integers"),
        ("0-0-3-0", r"gene 2 .* 0\.\.2, got 3"),
        ("0-0--0", "joined by '-'"),
        ("0-0-9999999999999999999999-0", "4 integers"),
        ("-".join(["0"] * 500), "4 integers"),
    ):
        with pytest.raises(ArchError, match=message) as caught:
            space.from_text(f"conv:{body}")
        assert "\n" not in str(caught.value)


def test_idle_blocks_do_not_count(rng):
    one_block = SPACE.from_text("mbconv-32:mb3k3/mb3k3/mb3k3/mb3k3")
    idle = one_block.copy()
    idle[2] = 5  # the second block of a stage that has one
    assert SPACE.to_text(idle) == SPACE.to_text(one_block)
    assert np.array_equal(SPACE.check(idle), one_block)
    assert SPACE.ops(idle) == SPACE.ops(one_block)
    assert np.array_equal(SPACE.encode(idle[None]), SPACE.encode(one_block[None]))
    # neighbours: 4 depths, and 20 other blocks in each of 4 present slots
    assert len(SPACE.neighbours(one_block)) == 4 + 4 * 20


def test_mutation_rates(rng):
    population = SPACE.sample(rng, 400)
    everything = SPACE.mutate(population, rng, rate=1.0)
    assert (everything != population).any(axis=1).mean() > 0.99
    little = SPACE.mutate(population, rng, rate=0.0)  # one gene at most, and those it makes idle or active
    genes_drawn = (little != population)[:, [0, 3, 6, 9]].sum(axis=1)
    assert genes_drawn.max() == 1
    assert 0.3 < (little != population).any(axis=1).mean() < 1


def test_sandwich_holds_the_extremes():
    for seed in range(5):
        largest, smallest, _ = (described(SPACE.to_text(a)) for a in SPACE.sandwich(np.random.default_rng(seed)))
        assert len(largest) == 8
        assert {(e, k) for code, e, k in largest if code != "fu"} == {(6, 7)}
        assert {(e, k) for code, e, k in largest if code == "fu"} <= {(6, 3)}
        assert len(smallest) == 4
        assert {(e, k) for _, e, k in smallest} == {(3, 3)}


def test_sandwich_trains_every_kind_alike():
    rng = np.random.default_rng(0)
    codes = [code for _ in range(200) for code, *_ in described(SPACE.to_text(SPACE.sandwich(rng)[0]))]
    shares = [codes.count(code) / len(codes) for code in ("mb", "se", "fu")]
    assert all(abs(share - 1 / 3) < 0.05 for share in shares), shares


def test_unique_genotypes_keep_the_order():
    rows = np.array([[2, 1], [0, 0], [2, 1], [1, 1], [0, 0]])
    assert unique_genotypes(rows).tolist() == [[2, 1], [0, 0], [1, 1]]
    assert unique_genotypes(rows, exclude=[np.array([2, 1])]).tolist() == [[0, 0], [1, 1]]


def test_an_unknown_space_names_those_there_are():
    with pytest.raises(HwnasError, match=r"unknown space 'resnet'; there are mbconv-32, .*ofa-mbv3"):
        mbconv_space("resnet")


def test_weights_are_borrowed_within_a_kind(tiny_space):
    sources = {tiny_space.weight_source(op) for slot in tiny_space.slots[1:2] for (op,) in slot.options}
    assert {(s.kind, s["se"], s["expand"], s["kernel"]) for s in sources} == {
        ("mbconv", 0, 3, 5),
        ("mbconv", 1, 3, 5),
        ("fused", 0, 3, 3),
    }


def test_initialise_is_reproducible(tiny_space):
    from hwnas.spaces.modules import initialise

    arch = tiny_space.sample(np.random.default_rng(0), 1)[0]
    states = []
    for seed in (1, 1, 2):
        network = tiny_space.build(arch)
        initialise(network, torch.Generator().manual_seed(seed))
        states.append(torch.cat([p.flatten() for p in network.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
