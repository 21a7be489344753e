"""`infer.py` of the folder: the shortest program that answers, with numpy and the model's runtime alone."""

INFER = '''\
"""python infer.py IMAGES [MODEL]: class and logits of images, .npy or raw bytes, uint8 [n, 3, h, w]."""
import json, pathlib, sys
import numpy as np
here = pathlib.Path(__file__).parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
name = (sys.argv[2:] or [manifest["recommended"]])[0]
model = next(m for m in manifest["models"] if m["name"] == name)
batch, *shape = model["contract"]["input"]["shape"]
pixels = np.load(sys.argv[1]) if sys.argv[1].endswith(".npy") else np.fromfile(sys.argv[1], np.uint8)
if model["format"] == "onnx":
    import onnxruntime
    session = onnxruntime.InferenceSession(str(here / name / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    run = lambda images: session.run(None, {"image": images})[0]
elif model["format"] == "openvino":
    import openvino
    hint = {"INFERENCE_PRECISION_HINT": "f16" if model["contract"]["precision"] == "fp16" else "f32"}
    compiled = openvino.compile_model(here / name / "1" / "model.xml", "CPU", hint)
    run = lambda images: compiled(images)[0]
for logits in np.concatenate([run(part) for part in pixels.reshape(-1, abs(batch), *shape)]).astype(float):
    print(json.dumps({"class": model["contract"]["classes"][logits.argmax()], "logits": logits.tolist()}))
'''
