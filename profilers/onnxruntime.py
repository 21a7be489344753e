"""onnxruntime: runs every ONNX model, on the CPU and through its execution providers."""

from __future__ import annotations

from typing import Any

import numpy as np

from latency_tables import ProfilerError, Target
from profilers._base import Profiler, Session
from profilers.device import cpu_name, power_mode

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class OnnxRuntimeProfiler(Profiler):
    """onnxruntime with a fixed thread count, batch as the model says, inputs bound before timing.

    Raises `ProfilerError` when onnxruntime is not installed, lacks the provider, or a node falls back
    from the provider to the CPU.
    """

    def __init__(self, threads: int = 1, batch: int = 1, provider: str = "CPUExecutionProvider"):
        try:
            import onnxruntime as ort
        except ImportError:
            raise ProfilerError("onnxruntime is not installed: pip install 'hwnas[onnxruntime]'") from None
        if threads < 1:
            raise ProfilerError(f"threads must be at least 1, got {threads}")
        if provider not in ort.get_available_providers():
            raise ProfilerError(
                f"onnxruntime has no {provider} here; it has {', '.join(ort.get_available_providers())}"
            )
        self._ort = ort
        self._threads, self._batch, self._provider = threads, batch, provider

    def target(self) -> Target:
        """The CPU this runs on; another provider is part of the runtime's name."""
        runtime = "onnxruntime"
        if self._provider != "CPUExecutionProvider":
            runtime += f"-{self._provider.removesuffix('ExecutionProvider').lower()}"
        return Target(
            device=cpu_name(),
            runtime=runtime,
            runtime_version=self._ort.__version__,
            precision="fp32",
            batch=self._batch,
            threads=self._threads,
            power_mode=power_mode(),
        )

    def _options(self) -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning pools of several live sessions steal each other's cores: 60 % noise.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._provider != "CPUExecutionProvider":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return options

    def open(self, model: bytes) -> Session:
        """Load a model from its bytes and bind random inputs and outputs."""
        try:
            session = self._ort.InferenceSession(model, self._options(), providers=[self._provider])
            return _OnnxRuntimeSession(session, self._batch)
        except ProfilerError:
            raise
        except Exception as e:  # onnxruntime raises a dozen unrelated classes
            raise ProfilerError(f"onnxruntime refuses the model: {_first_line(e)}") from None


class _OnnxRuntimeSession(Session):
    def __init__(self, session: Any, batch: int):
        self._session = session
        self._binding = session.io_binding()
        rng = np.random.default_rng(0)
        for node in session.get_inputs():
            if node.type not in _DTYPES:
                raise ProfilerError(f"input {node.name} is {node.type}; only float inputs can be profiled")
            shape = [size if isinstance(size, int) else batch for size in node.shape]
            self._binding.bind_cpu_input(node.name, rng.standard_normal(shape).astype(_DTYPES[node.type]))
        for node in session.get_outputs():
            self._binding.bind_output(node.name)

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as e:  # a dozen unrelated classes here too
            raise ProfilerError(f"onnxruntime cannot run the model: {_first_line(e)}") from None

    def close(self) -> None:
        del self._binding, self._session
