import pytest

from latency_tables import ProfilerError
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.engines.proof import Offender, Product, Proof, prove_kernels, prove_products

CONV = Product("conv", "Conv", (16, 3, 3, 3))
GEMM = Product("fc", "Gemm", (384, 10))


def tensor(shape, precision="fp16"):
    return EngineTensor(shape, precision)


def layer(name, *nodes, reads="fp16", weights=()):
    return EngineLayer(name, "kgen", (tensor((1, 3, 8, 8), reads),), tuple(weights), onnx_nodes=nodes)


@pytest.mark.parametrize(
    ("product", "shape", "same"),
    [
        (CONV, (16, 3, 3, 3), True),
        (CONV, (16, 4, 3, 3), True),  # channels padded
        (CONV, (16, 3, 5, 5), False),
        (CONV, (1, 16, 1, 1), False),  # a bias
        (CONV, (1, 1, 32, 32), False),  # zeros around an image
        (CONV, (432,), True),  # TensorRT 10 says the count alone
        (GEMM, (384, 10), True),
        (GEMM, (1, 384, 10), True),
        (GEMM, (1, 10), False),
    ],
)
def test_which_constants_can_be_the_weights(product, shape, same):
    assert product.is_weight(tensor(shape)) == same


@pytest.mark.parametrize(
    ("layers", "offender"),
    [
        ([layer("a", "conv", "relu", weights=[tensor((16, 3, 3, 3))])], None),
        ([layer("pad", "conv", reads="uint8", weights=[tensor((1, 1, 32, 32))]),
          layer("a", "conv", weights=[tensor((16, 3, 3, 3))])], None),
        ([layer("a", "conv", weights=[tensor((16, 3, 3, 3), "fp32")])], ("fp32", "a")),
        ([layer("a", "conv", reads="fp32", weights=[tensor((16, 3, 3, 3))])], ("fp32", "a")),
        ([layer("a", "other", weights=[tensor((16, 3, 3, 3))])], ("what no layer of the engine shows", "")),
        ([layer("a", "conv")], ("what no layer of the engine shows", "")),
        ([], ("what no layer of the engine shows", "")),
    ],
)  # fmt: skip
def test_a_fused_product_is_shown_by_the_layers_with_its_weights(layers, offender):
    proof = prove_products("fp16", [CONV], layers)
    assert proof.products == 1
    assert proof.offenders == (() if offender is None else (Offender("conv", "Conv", *offender),))
    assert proof.share_pct == (100 if offender is None else 0)


def test_kernels_that_say_what_they_are():
    kernels = [
        EngineLayer("a", "Conv", (tensor((1,), "int8"),)),
        EngineLayer("b", "Gemm", (tensor((1,), "fp32"),)),
        EngineLayer("c", "Conv", (tensor((1,), "bf16"),)),
    ]
    prove_kernels("int8", kernels[:1]).require("abacus")
    prove_kernels("int8", []).require("abacus")
    proof = prove_kernels("int8", kernels)
    assert [o.name for o in proof.offenders] == ["b", "c"]
    assert proof.share_pct == pytest.approx(100 / 3)
    with pytest.raises(ProfilerError) as e:
        proof.require("abacus")
    assert str(e.value) == (
        "abacus runs b (Gemm) in fp32, not in int8; make the models in int8, or profile them as fp32"
    )


def test_the_layer_that_shows_it_is_named():
    with pytest.raises(ProfilerError, match=r"^trt runs c \(Conv\) in fp32 \(layer l\), not in fp16; "):
        Proof("fp16", 1, (Offender("c", "Conv", "fp32", "l"),)).require("trt")
