"""onnxruntime, ncnn and OpenCV DNN on one ONNX graph, one thread each, in rounds.

Started by `arcdoor-lab bench nets` and `bench kernels` with a setting (argv[1], JSON): file, input (shape), values (raw
f32), outputs (names), runs, scratch (a folder for ncnn's form of the graph). The first line on stdout names the engines
with their versions and, for each, the file that holds its outputs (raw f32, one after the other), or why it is left
out. Each line on stdin is then answered by {engine: [CPU ms of this process, wall ms]}, medians over `runs`.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import ncnn
import numpy as np
import onnxruntime


def ort(setting, values):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(setting["file"], options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: values}
    return f"onnxruntime {onnxruntime.__version__}", lambda: session.run(setting["outputs"], feed)


def pnnx_form(setting):
    """The graph as ncnn reads it: pnnx converts, f32 throughout."""
    scratch = pathlib.Path(setting["scratch"])
    scratch.mkdir(parents=True, exist_ok=True)
    model = scratch / "net.onnx"
    param, weights = scratch / "net.ncnn.param", scratch / "net.ncnn.bin"
    model.write_bytes(pathlib.Path(setting["file"]).read_bytes())
    binary = next(p for p in (pathlib.Path(d) / "pnnx/pnnx" for d in sys.path) if p.is_file())
    binary.chmod(0o755)
    shape = ",".join(map(str, setting["input"]))
    command = [str(binary), model.name, f"inputshape=[{shape}]f32", "fp16=0"]
    done = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if done.returncode != 0 or not param.is_file():
        raise RuntimeError("pnnx: " + done.stdout.decode(errors="replace").strip()[-200:])
    return param, weights


def tencent(setting, values):
    param, weights = pnnx_form(setting)
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, name, False)
    if net.load_param(str(param)) or net.load_model(str(weights)):
        raise RuntimeError("ncnn cannot load what pnnx wrote")
    source = ncnn.Mat(values[0]).clone()
    names = net.output_names()

    def run():
        with net.create_extractor() as extractor:
            extractor.input(net.input_names()[0], source)
            return [np.array(extractor.extract(name)[1]) for name in names]

    return f"ncnn {ncnn.__version__}", run


def opencv(setting, values):
    """The faster of OpenCV's two engines, where both can run the graph."""
    cv2.setNumThreads(1)
    best = None
    for engine in ("ENGINE_CLASSIC", "ENGINE_NEW"):
        try:
            net = cv2.dnn.readNetFromONNX(setting["file"], getattr(cv2.dnn, engine))
            net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)

            def run(net=net):
                net.setInput(values)
                return net.forward(setting["outputs"])

            cost = min(timed(run)[0] for _ in range(6))
            if best is None or cost < best[0]:
                best = (cost, f"opencv {cv2.__version__} ({engine[7:].lower()} engine)", run)
        except cv2.error as error:
            failed = error
    if best is None:
        raise RuntimeError(str(failed).strip().splitlines()[0])
    return best[1:]


def timed(run):
    # Of the whole process: a helper thread that an engine starts although it was asked for one counts, too.
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3


def main():
    setting = json.loads(pathlib.Path(sys.argv[1]).read_text())
    values = np.fromfile(setting["values"], np.float32).reshape(setting["input"])
    engines, answer = {}, {}
    for name, make in (("onnxruntime", ort), ("ncnn", tencent), ("opencv", opencv)):
        try:
            version, run = make(setting, values)
            outputs = np.concatenate([np.asarray(output, np.float32).ravel() for output in run()])
        except Exception as error:  # A peer that cannot run a graph is left out of its row, by name.
            answer[name] = {"left_out": f"{type(error).__name__}: {error}"}
            continue
        file = pathlib.Path(setting["scratch"]) / f"{name}.f32"
        file.parent.mkdir(parents=True, exist_ok=True)
        outputs.tofile(file)
        engines[name] = run
        answer[name] = {"version": version, "outputs": str(file)}
    print(json.dumps(answer), flush=True)
    for _ in sys.stdin:
        round_ = {}
        for name, run in engines.items():
            run()
            times = [timed(run) for _ in range(setting["runs"])]
            round_[name] = [statistics.median(t[i] for t in times) for i in (0, 1)]
        print(json.dumps(round_), flush=True)


if __name__ == "__main__":
    main()
