"""The contract every `SearchSpace` keeps; run it on your own: `check_space(MySpace())`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from hwnas.spaces.cost import count_macs
from hwnas.spaces.genotypes import ArchError, every_network, unique_genotypes
from hwnas.spaces.modules import Residual
from hwnas.spaces.space import SearchSpace
from latency_tables import HwnasError, Op
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

_ENUMERABLE = 4096


def check_space(space: SearchSpace, samples: int = 8, seed: int = 0) -> None:
    """Raise AssertionError unless `space` keeps the contract on `samples` random networks.

    Shapes are followed without memory on torch's meta device; one network is built and run for real.
    """
    _check_slots(space)
    _check_identity(space)
    archs = _check_samples(space, samples, seed)
    _check_texts(space, archs, seed)
    _check_ops(space, archs)
    _check_moves(space, archs, seed)
    _check_functions(space, archs)
    _check_encoding(space, archs)
    for arch in archs:
        if space.is_chain:
            _check_chain(space, arch)
    _check_weight_sources(space)
    _check_build(space, archs[0])


def require_contract(space: SearchSpace, name: str) -> None:
    """As `check_space`, for people: raises `HwnasError` in one line that names the space as it was given."""
    try:
        check_space(space)
    except AssertionError as e:
        raise HwnasError(f"space {name!r} breaks the contract of spaces: {e}") from e
    except Exception as e:  # whatever the user's own file does
        raise HwnasError(f"space {name!r} fails when it is checked: {type(e).__name__}: {e}") from e


def _check_identity(space: SearchSpace) -> None:
    assert space.name.strip() == space.name != "", "name must be filled in, without spaces around it"
    assert ":" not in space.name, "name must have no ':', which ends it in an architecture's text"
    assert space.num_classes >= 1, "num_classes must be at least 1"
    assert len(space.input_shape) == 3, "input_shape is (channels, height, width)"
    assert min(space.input_shape) >= 1, "input_shape must be positive"
    assert len(space.cardinalities) >= 1, "a genotype needs at least one gene"
    assert all(int(c) == c >= 1 for c in space.cardinalities), "every cardinality is an integer of at least 1"
    assert 1 <= space.size <= prod(space.cardinalities), "size counts different networks, at most all genotypes"
    if (every := every_network(space, _ENUMERABLE)) is not None:
        assert space.size == len(every), f"size is {space.size}, but there are {len(every)} canonical genotypes"


def check_population(space: SearchSpace, population: Population, what: str) -> None:
    """Raise AssertionError unless `what` gave canonical genotypes [n, genes] of `space`."""
    genes = len(space.cardinalities)
    assert population.ndim == 2, f"{what} must give genotypes [n, genes]"
    assert population.shape[1] == genes, f"{what} must give {genes} genes, got {population.shape[1]}"
    assert population.dtype.kind == "i", f"{what} must give signed integers, got {population.dtype}"
    inside = (population >= 0).all() and (population < np.array(space.cardinalities)).all()
    assert inside, f"{what} must keep every gene in 0..cardinality - 1"
    assert np.array_equal(space.canonical(population), population), f"{what} must give canonical genotypes"


def _check_samples(space: SearchSpace, samples: int, seed: int) -> Population:
    archs = space.sample(np.random.default_rng(seed), samples)
    assert archs.shape[0] == samples, "sample(rng, n) must give n genotypes"
    check_population(space, archs, "sample")
    again = space.sample(np.random.default_rng(seed), samples)
    assert np.array_equal(archs, again), "sample must depend on its rng alone: same seed, same genotypes"
    for arch in archs:
        assert np.array_equal(space.check(arch), arch), "check must accept a sampled genotype and leave it as it is"
    return archs


def _check_texts(space: SearchSpace, archs: Population, seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, space.cardinalities, (8 * len(archs), len(space.cardinalities)))
    clean = space.canonical(raw.copy())
    assert np.array_equal(space.canonical(clean.copy()), clean), "canonical must be idempotent"
    for arch in clean:
        text = space.to_text(arch)
        assert len(text.splitlines()) == 1, "to_text must be one line"
        assert np.array_equal(space.from_text(text), arch), f"from_text must be the inverse of to_text, not for {text}"
    texts = [space.to_text(arch) for arch in raw]
    assert texts == [space.to_text(a) for a in clean], "to_text must not depend on genes that have no effect"
    assert len(set(texts)) == len(unique_genotypes(clean)), "different canonical genotypes must have different texts"

    name, foreign = space.name, f"not-{texts[0]}"
    for text in ("", "?", ":", name, f"{name}:", f"{name}:\n?\n", f"{name}:{'x' * 200}", foreign):
        _check_refusal(space.from_text, text, f"from_text({text!r:.40})")
    for gene, value in ((0, -1), (-1, space.cardinalities[-1])):
        outside = archs[0].copy()
        outside[gene] = value
        _check_refusal(space.check, outside, f"check with {value} as gene {gene}")
    _check_refusal(space.check, archs[0][:-1], "check with a gene too few")
    _check_refusal(space.check, np.tile(archs[0], 20), "check with genes too many")


def _check_refusal(call: Callable[[Any], object], argument: Any, what: str) -> None:
    message = ""
    try:
        call(argument)
    except ArchError as e:
        message = str(e)
    except Exception as e:
        raise AssertionError(f"{what} must raise ArchError, not {type(e).__name__}: {e}") from e
    assert message, f"{what} must raise ArchError with a message"
    assert len(message.splitlines()) == 1, f"{what}: an error is one line"


def _check_ops(space: SearchSpace, archs: Population) -> None:
    options = space.slot_options(archs)
    assert options.shape == (len(archs), len(space.slots)), "slot_options must give [n, slots]"
    limits = np.array([len(slot.options) for slot in space.slots])
    assert (options >= 0).all(), "slot_options must not be negative"
    assert (options < limits).all(), "slot_options must point into the options of each slot"
    for op in space.all_ops:
        assert isinstance(op, Op), f"slots must hold Op, got {type(op).__name__}"
        canonical = Op.of(op.kind, op.in_shape, **dict(op.settings))
        assert op == canonical, f"{op.key} is not in canonical form: make ops with Op.of, which sorts their settings"
        assert all(type(v) is int for _, v in op.settings), f"the settings of {op.key} must be plain integers"
    for arch, row in zip(archs, options, strict=True):
        mine = tuple(op for slot, i in zip(space.slots, row, strict=True) for op in slot.options[i])
        assert space.ops(arch) == mine, "ops(arch) must be the ops of its slots' options, in order"
        assert set(mine) <= set(space.all_ops), "all_ops must hold every op of every network"
        assert mine, "a network needs at least one op"


def _check_slots(space: SearchSpace) -> None:
    assert all(isinstance(slot, Slot) for slot in space.slots), "slots must hold Slot"
    for i, slot in enumerate(space.slots):
        if slot.genes is not None:
            assert len(set(slot.genes)) == len(slot.genes), f"slot {i} must name each of its genes once"
            inside = all(0 <= gene < len(space.cardinalities) for gene in slot.genes)
            assert inside, f"slot {i} follows genes {slot.genes}, but there are {len(space.cardinalities)}"
            wanted = prod(space.cardinalities[gene] for gene in slot.genes)
            assert len(slot.choices) == wanted, f"slot {i} needs a choice per joint value of its genes: {wanted}"
    assert len(space.gene_names) == len(space.cardinalities), "gene_names must name every gene"
    assert len(set(space.gene_names)) == len(space.gene_names), "gene_names must be different"
    for name, values, count in zip(space.gene_names, space.gene_values, space.cardinalities, strict=True):
        assert len(set(values)) == len(values) == count, f"gene_values must name the {count} values of {name}"
    in_stages = [gene for stage in space.stages for gene in stage]
    assert in_stages == list(range(len(space.cardinalities))), "stages must have every gene once, in order"


def _check_moves(space: SearchSpace, archs: Population, seed: int) -> None:
    before = archs.copy()
    mutants = space.mutate(archs, np.random.default_rng(seed))
    assert np.array_equal(archs, before), "mutate must not change what it is given"
    assert mutants.shape == archs.shape, "mutate must give as many genotypes as it is given"
    check_population(space, mutants, "mutate")
    again = space.mutate(archs, np.random.default_rng(seed))
    assert np.array_equal(mutants, again), "mutate must depend on its rng alone"
    if space.size > 1:
        many = space.mutate(np.repeat(archs[:1], 256, axis=0), np.random.default_rng(seed))
        assert (many != archs[0]).any(), "256 mutants of one genotype, and not a gene of them is different"
    for arch in archs[:2]:
        around = space.neighbours(arch)
        assert np.array_equal(archs, before), "neighbours must not change what it is given"
        assert len(around) or space.size == 1, "a network must have neighbours unless it is the only one"
        check_population(space, around, "neighbours")
        assert (around != arch).any(axis=1).all(), "a network must not be its own neighbour"
        assert len(unique_genotypes(around)) == len(around), "neighbours must name each network once"
    trio = space.sandwich(np.random.default_rng(seed))
    assert len(trio) >= 2, "sandwich must give the largest and the smallest network at least"
    check_population(space, trio, "sandwich")


def _check_functions(space: SearchSpace, archs: Population) -> None:
    rows, computes = space.functions(archs), space.computes(archs)
    assert rows.ndim == 2, "functions must give rows [n, any]"
    assert len(rows) == len(archs), "functions must give a row per genotype"
    assert computes.shape == (len(archs),), "computes must give one answer per genotype, [n]"
    assert computes.dtype == bool, f"computes must give booleans, got {computes.dtype}"
    for i, arch in enumerate(archs):
        alone = space.functions(arch[None])[0], space.computes(arch[None])[0]
        same = np.array_equal(alone[0], rows[i]) and alone[1] == computes[i]
        assert same, "functions and computes must not depend on other rows"


def _check_encoding(space: SearchSpace, archs: Population) -> None:
    edges, nodes = space.graphs(archs)
    assert edges.shape[1:] == (nodes.shape[1],) * 2, "graphs must give edges [n, k, k] for nodes [n, k, ops]"
    views = {"encode": space.encode(archs), "graphs": edges, "graphs' nodes": nodes}
    views |= {f"view {view.name!r}": view.encode(archs) for view in space.views}
    assert len(views) == 3 + len(space.views), "views need names of their own"
    assert all(view.share > 0 for view in space.views), "a view's share is more than 0"
    for name, features in views.items():
        assert len(features) == len(archs), f"{name} must give one row a genotype"
        assert features.ndim == (2 if name.startswith(("encode", "view")) else 3), f"{name}: features are [n, features]"
        assert np.isfinite(features).all(), f"{name} must be finite"
    for i, arch in enumerate(archs):
        alone = [space.encode(arch[None]), *space.graphs(arch[None]), *(v.encode(arch[None]) for v in space.views)]
        same = all(np.array_equal(a[0], b[i]) for a, b in zip(alone, views.values(), strict=True))
        assert same, "encode, graphs and views must not depend on other rows"


def _check_chain(space: SearchSpace, arch: Genotype) -> None:
    text, last, shape = space.to_text(arch), "the image", tuple(space.input_shape)
    for (slot, ops), *branches in space.at_places(arch):
        before = shape
        for op in ops:
            assert op.in_shape == shape, f"{text}: {last} gives {shape}, but what follows takes {op.in_shape}"
            last, shape = op.key, _out_shape(space.build_op(op), op.in_shape)
        for number, beside in branches:
            assert len(beside) == 1, f"{text}: a branch is one op, slot {number} has {len(beside)}"
            (op,) = beside
            assert op.in_shape == before, f"{text}: {op.key} is beside what takes {before}"
            module = space.build_op(op)
            assert isinstance(module, Residual), f"{text}: {op.key} is a branch, and its module must be a Residual"
            assert module.residual != bool(ops), f"{text}: {op.key} has an identity unlike its skip, slot {slot}"
            got = _out_shape(module, before)
            assert got == shape, f"{text}: {op.key} gives {got}, beside a skip that gives {shape}"
    assert shape == (space.num_classes,), f"{text}: {last} gives {shape}, but what follows takes {(space.num_classes,)}"


def _out_shape(module: nn.Module, in_shape: tuple[int, ...]) -> tuple[int, ...]:
    shadow = copy.deepcopy(module).to("meta").eval()
    with torch.no_grad():
        return tuple(shadow(torch.empty(2, *in_shape, device="meta")).shape[1:])


def _check_weight_sources(space: SearchSpace) -> None:
    for op in space.all_ops:
        source = space.weight_source(op)
        if source == op:
            continue
        assert source.in_shape == op.in_shape, f"{op.key} must borrow weights at its own input shape"
        own, lent = (dict(space.build_op(o).named_parameters()) for o in (op, source))
        absent = own.keys() - lent.keys()
        assert not absent, f"{op.key} has weights that {source.key} lacks: {', '.join(sorted(absent))}"
        for name, weight in own.items():
            big, small = lent[name].shape, weight.shape
            fits = len(big) == len(small) and all(b >= s for b, s in zip(big, small, strict=True))
            assert fits, f"{name} of {op.key} is {tuple(small)}, not a slice of {source.key}'s {tuple(big)}"


def _check_build(space: SearchSpace, arch: Genotype) -> None:
    network = space.build(arch).eval()
    with torch.no_grad():
        logits = network(torch.zeros(2, *space.input_shape))
    assert logits.shape == (2, space.num_classes), f"build gives {tuple(logits.shape)} for 2 images, not 2 x classes"
    whole = count_macs(network, space.input_shape)
    parts = sum(count_macs(space.build_op(op), op.in_shape) for op in space.ops(arch))
    assert whole == parts, f"the network has {whole} multiply-accumulates, its ops have {parts}: build must chain them"
