import numpy as np
import pytest

from profilers.engines.layers import EngineLayer, LayerTime, layer_times


def test_the_mean_of_the_faster_half_of_the_runs():
    layers = [EngineLayer("a", "Conv", onnx_nodes=("a", "b")), EngineLayer("c", "Relu", onnx_nodes=("c",))]
    us = np.array([[10, 3], [11, 2], [12, 2], [10, 90]], dtype=float)  # 13, 13, 14, 100
    assert layer_times(layers, us) == (LayerTime(("a", "b"), 10.5), LayerTime(("c",), 2.5))
    assert layer_times(layers, us[:1])[1].us == pytest.approx(3)
