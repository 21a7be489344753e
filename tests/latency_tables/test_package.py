import subprocess
import sys

import latency_tables


def test_a_board_needs_neither_torch_nor_onnx():
    code = (
        "import sys; import latency_tables, profilers, profilers.runtimes, profilers.worker, profilers.contract; "
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_promised_is_there():
    assert all(hasattr(latency_tables, name) for name in latency_tables.__all__)
