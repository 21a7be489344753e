from dataclasses import replace

import pytest

from latency_tables import Target
from profilers import Engine
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.engines.proof import Proof
from profilers.engines.store import EngineStore

TARGET = Target("device", "runtime", "1", "fp32", 1, 1, "performance")
TENSOR = EngineTensor((1, 3), "fp32", "NHWC")
LAYER = EngineLayer("conv+relu", "kgen", (TENSOR,), (TENSOR,), (TENSOR,), ("conv", "relu"), "fast")
ENGINE = replace(
    Engine.of(b"model"),
    content=b"plan",
    layers=(LAYER,),
    proof=Proof("fp32", 1),
    built_with={"version": "1"},
    seconds=2.5,
)


@pytest.fixture
def store(tmp_path):
    return EngineStore(tmp_path, TARGET)


@pytest.mark.parametrize("engine", [ENGINE, Engine.of(b"model")], ids=["a plan", "the model itself"])
def test_what_one_process_built_another_starts(store, tmp_path, engine):
    assert store.load(b"model", engine.model_sha256) is None
    store.save(engine)
    assert EngineStore(tmp_path, TARGET).load(b"model", engine.model_sha256) == engine
    assert len(list(tmp_path.rglob("*.engine"))) == (engine is ENGINE)


def test_another_target_has_others_but_for_its_power_mode(store, tmp_path):
    store.save(ENGINE)
    saving, newer = replace(TARGET, power_mode="powersave"), replace(TARGET, runtime_version="2")
    assert EngineStore(tmp_path, saving).load(b"model", ENGINE.model_sha256) == ENGINE
    assert EngineStore(tmp_path, newer).load(b"model", ENGINE.model_sha256) is None


@pytest.mark.parametrize("ending", [".engine", ".json"])
@pytest.mark.parametrize("damage", [lambda b: b[:-2], lambda b: b"", lambda b: b.replace(b"a", b"b", 1)])
def test_a_damaged_engine_is_built_again(store, tmp_path, ending, damage):
    store.save(ENGINE)
    (path,) = tmp_path.rglob(f"*{ending}")
    path.write_bytes(damage(path.read_bytes()))
    assert store.load(b"model", ENGINE.model_sha256) is None
