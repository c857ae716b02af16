"""Whether a pack's embedder agrees with the original network, which OpenCV 5 runs as it is.

    python3 agree.py --networks DIR --pack DIR --photos DIR

Prints the least and the middle cosine over the faces of 100 photos; ends with 1 below 0.9999. Needs the
packages of requirements.txt. `cargo xtask bench frame` installs them into ~/.cache/arcdoor/peers, the
original networks are in ~/.cache/arcdoor/networks.
"""

import argparse
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime

DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"
EMBEDDER = "face_recognition_sface_2021dec_int8bq.onnx"
LEAST = 0.9999


def main() -> int:
    parser = argparse.ArgumentParser(description="A pack's embedder beside the original network.")
    for name in ("networks", "pack", "photos"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, metavar="DIR")
    args = parser.parse_args()
    detector = cv2.FaceDetectorYN.create(str(args.networks / DETECTOR), "", (320, 320), 0.6)
    aligner = cv2.FaceRecognizerSF.create(str(args.networks / EMBEDDER), "")
    original = cv2.dnn.readNet(str(args.networks / EMBEDDER))
    ours = onnxruntime.InferenceSession(str(args.pack / "sface.onnx"))
    photos = sorted(p for p in args.photos.rglob("*") if p.suffix in (".jpg", ".jpeg", ".png"))
    cosines = []
    for photo in photos[:: max(1, len(photos) // 110)]:
        image = cv2.imread(str(photo))
        detector.setInputSize((image.shape[1], image.shape[0]))
        faces = detector.detect(image)[1]
        if faces is None or len(cosines) == 100:
            continue
        pixels = cv2.dnn.blobFromImage(aligner.alignCrop(image, faces[0]), 1.0, swapRB=True)
        original.setInput(pixels, "data")
        a = original.forward().ravel()
        b = ours.run(None, {ours.get_inputs()[0].name: ((pixels - 127.5) / 128).astype(np.float32)})[0].ravel()
        cosines.append(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    if not cosines:
        sys.exit(f"no face on the photos under {args.photos}")
    print(f"{len(cosines)} faces: least cosine {min(cosines):.7f}, middle {np.median(cosines):.7f}")
    return 0 if min(cosines) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
