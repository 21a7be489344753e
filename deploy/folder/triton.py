"""`config.pbtxt` of Triton's model repository: NAME/config.pbtxt beside NAME/1/model.*, in its smallest form."""

from __future__ import annotations

from deploy.folder.manifest import ShippedModel
from deploy.formats import FORMATS, Files
from deploy.formats.tensorrt_plan import BATCHES
from deploy.onnx_file import DYNAMIC

_TYPES = {"uint8": "TYPE_UINT8", "float32": "TYPE_FP32", "float16": "TYPE_FP16"}


def config(model: ShippedModel, files: Files) -> str | None:
    """The text for one model, None for a format that Triton cannot serve.

    A model with a dynamic batch is batched by the server, up to `BATCHES[-1]`; any other takes just its own batch.
    """
    how = FORMATS[model.format].triton
    if how is None:
        return None
    dynamic = model.batch == DYNAMIC
    lines = [f'name: "{model.name}"', how, f"max_batch_size: {BATCHES[-1] if dynamic else 0}"]
    ends = (("input", model.contract.input), ("output", model.contract.output))
    for kind, end in ends:
        shape = ", ".join(map(str, end.shape[1:] if dynamic else end.shape))
        lines.append(f'{kind} [ {{ name: "{end.name}", data_type: {_TYPES[end.dtype]}, dims: [ {shape} ] }} ]')
    plans = {name.removeprefix("model-sm").removesuffix(".plan"): name for name in files if name.startswith("model-sm")}
    for digits, name in plans.items():
        capability = f"{digits[:-1]}.{digits[-1]}"
        lines.append(f'cc_model_filenames [ {{ key: "{capability}", value: "{name}" }} ]')
    return "\n".join(lines) + "\n"
