import numpy as np
import pytest

from profilers.engines.layers import EngineLayer, LayerTime, layer_times


def test_the_mean_of_the_fastest_quarter_of_the_runs():
    layers = [EngineLayer("a", "Conv", onnx_nodes=("a", "b")), EngineLayer("c", "Relu", onnx_nodes=("c",))]
    us = np.array([[10, 3], [10, 90], [11, 2], *[[12, 2]] * 2], dtype=float)  # 13, 100, 13, 14, 14
    assert layer_times(layers, us) == (LayerTime(("a", "b"), 10.5), LayerTime(("c",), 2.5))
    assert layer_times(layers, us[:1])[1].us == pytest.approx(3)
