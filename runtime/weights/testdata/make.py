"""Writes the files that the reader's tests compare with: python make.py, with numpy, ml_dtypes and onnx."""
import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ramp = np.arange(6, dtype=np.float64).reshape(2, 3) - 1.5
arrays = {
    "f4": ramp.astype("<f4"), "f8": ramp, "f2": ramp.astype("<f2"), "big": ramp.astype(">f4"),
    "bf16": ramp.astype(ml_dtypes.bfloat16), "i8": np.arange(6).reshape(2, 3), "scalar": np.float32(2.5),
    "fortran": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)), "a/b": np.zeros((0, 3), "<f4"),
}
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", **arrays)
np.save("fortran.npy", arrays["fortran"])

w = np.arange(6, dtype=np.float32).reshape(2, 3)
inits = [
    numpy_helper.from_array(w, "layer.weight"),
    numpy_helper.from_array(w.T.copy(), "onnx::MatMul_7"),
    helper.make_tensor("typed", TensorProto.FLOAT, [3], [0.5, -1.5, 2.5]),
    helper.make_tensor("half", TensorProto.FLOAT16, [2], [0.5, -1.5]),
    helper.make_tensor("bf16", TensorProto.BFLOAT16, [2], [0.5, -1.5]),
    helper.make_tensor("double", TensorProto.DOUBLE, [1], [0.1]),
    helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 3]),
]
nodes = [helper.make_node("MatMul", ["x", "onnx::MatMul_7"], ["y"], name="/fc/MatMul")]
graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, [1, 3])], [helper.make_tensor_value_info("y", 1, [1, 2])], inits)
onnx.save(helper.make_model(graph), "small.onnx")
