"""The frame path's peers: OpenCV's FaceDetectorYN and FaceRecognizerSF, and onnxruntime on the same graphs.

Started by `arcdoor-lab bench frame`, which writes the setting (argv[1], JSON) and then asks for rounds: each line on
stdin is answered by one line of JSON, {engine: {stage: [milliseconds of each frame]}}. One thread everywhere.

onnxruntime's rows hold preparing the input and running the network, without decoding boxes: in its favour.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
import onnxruntime as ort

MIN_SCORE = 0.7
NMS_IOU = 0.3


def blob(image, net):
    """HWC BGR bytes -> NCHW f32, as the pack's manifest says."""
    image = image[:, :, ::-1] if net["rgb"] else image
    if any(net["mean"]) or any(value != 1 for value in net["scale"]):
        image = (image.astype(np.float32) - np.float32(net["mean"])) * np.float32(net["scale"])
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)


class Peers:
    def __init__(self, setting):
        cv2.setNumThreads(1)
        width, height = setting["frame_size"]
        self.input = tuple(setting["detector_input"])
        self.detector, self.embedder = setting["detector"], setting["embedder"]
        self.frames = [
            np.fromfile(path, np.uint8).reshape(height, width, 3)[:, :, ::-1].copy() for path in setting["frames"]
        ]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.sessions = [
            ort.InferenceSession(net["file"], options, providers=providers) for net in (self.detector, self.embedder)
        ]
        self.yunet = self.sface = None
        try:
            self.yunet = cv2.FaceDetectorYN.create(self.detector["file"], "", self.input, MIN_SCORE, NMS_IOU, 50)
            self.sface = cv2.FaceRecognizerSF.create(self.embedder["file"], "")
            self.opencv({}, self.frames[0])
        except cv2.error as error:
            print(f"OpenCV cannot run these graphs and is left out: {error}", file=sys.stderr)
            self.yunet = self.sface = None
        self.crop = np.zeros((self.embedder["size"][1], self.embedder["size"][0], 3), np.uint8)

    def opencv(self, times, frame):
        cpu, began = time.process_time(), time.perf_counter()
        scaled = cv2.resize(frame, self.input)
        faces = self.yunet.detect(scaled)[1]
        detected = time.perf_counter()
        if faces is None:
            return
        face = max(faces, key=lambda row: row[2] * row[3]).copy()
        face[0:14:2] *= frame.shape[1] / self.input[0]
        face[1:14:2] *= frame.shape[0] / self.input[1]
        aligning = time.perf_counter()
        crop = self.sface.alignCrop(frame, face)
        aligned = time.perf_counter()
        self.sface.feature(crop)
        ended = time.perf_counter()
        cpu = time.process_time() - cpu
        stages = (detected - began, aligned - aligning, ended - aligned, ended - began, cpu)
        for stage, seconds in zip(("detect", "align", "embed", "frame", "frame, CPU time"), stages):
            times.setdefault(stage, []).append(1000 * seconds)

    def onnxruntime(self, times, frame):
        began = time.perf_counter()
        self.run(0, blob(cv2.resize(frame, self.input), self.detector))
        detected = time.perf_counter()
        self.run(1, blob(self.crop, self.embedder))
        ended = time.perf_counter()
        times.setdefault("detect", []).append(1000 * (detected - began))
        times.setdefault("embed", []).append(1000 * (ended - detected))

    def run(self, index, tensor):
        session = self.sessions[index]
        return session.run(None, {session.get_inputs()[0].name: tensor})

    def round(self):
        engines = {"onnxruntime": self.onnxruntime}
        if self.yunet is not None:
            engines["opencv"] = self.opencv
        answer = {}
        for name, engine in engines.items():
            times = answer.setdefault(name, {})
            for frame in self.frames:
                engine(times, frame)
        return answer


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        peers = Peers(json.load(file))
    for _ in sys.stdin:
        print(json.dumps(peers.round()), flush=True)


if __name__ == "__main__":
    main()
