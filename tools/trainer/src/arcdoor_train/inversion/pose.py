"""Which way a face looks, and where its five points are seen then: left eye, right eye (as they are seen), nose's tip,
left and right corner of the mouth.

Angles as the device has them (``runtime/vision/src/quality.rs``): yaw is positive towards the picture's right, pitch
downwards, both in degrees. Points lie in the pixels of a crop; heads are far away, so that no perspective shows."""

import numpy as np

#: Points of MediaPipe's canonical face (``face_geometry/data/canonical_face_model.obj``, Apache-2.0), in centimetres:
#: right in the picture, down, towards the camera. An eye is the middle of its two corners (vertices 33 and 133), the
#: nose's tip vertex 1, the mouth's corner 61; the right half mirrors the left.
FACE = np.array(
    [
        [-3.1511455, -2.624618, 3.465663], [3.1511455, -2.624618, 3.465663], [0.0, 1.126865, 7.475604],
        [-2.456206, 4.342621, 4.283884], [2.456206, 4.342621, 4.283884],
    ]
)  # fmt: skip
#: Where the device puts them in a crop of 112 pixels (``runtime/vision/src/align.rs``).
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
#: Of the device's measure: how far the nose's tip stands out, in eye distances; where it lies in a level face between
#: eyes and mouth, and how far it stands out in that distance.
_NOSE_DEPTH, _NOSE_LEVEL, _NOSE_PITCH_DEPTH = 0.6, 0.56, 0.43

#: Which point is which in a mirrored picture.
MIRRORED = [1, 0, 2, 4, 3]


def mirrored(marks: np.ndarray, side: int) -> np.ndarray:
    """(n, 5, 2) pixels of the points of a picture of ``side`` columns, as they are in its mirror image."""
    return marks[:, MIRRORED] * (-1.0, 1.0) + (side - 1.0, 0.0)


def turned(points: np.ndarray, yaw: np.ndarray | float, pitch: np.ndarray | float) -> np.ndarray:
    """(..., n, 2) of points (n, 3) as they are seen of a head that is turned by yaw, then nods by pitch (degrees;
    numbers or arrays alike), in the points' unit."""
    yaw, pitch = (np.deg2rad(np.asarray(angle, float))[..., None] for angle in (yaw, pitch))
    x, y, z = points.T
    right, depth = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    return np.stack([right, y * np.cos(pitch) + depth * np.sin(pitch)], axis=-1)


def seen(yaw: float, pitch: float, scale: float = 1.0, place: tuple[float, ...] = (0.0, 0.0)) -> np.ndarray:
    """(5, 2) pixels of the points of a head that is turned so. They lie as near the template's as size and
    place allow; then the face is ``scale`` times as large about the template's middle, and moved by ``place`` (right,
    down)."""
    five, middle = turned(FACE, yaw, pitch), TEMPLATE.mean(axis=0)
    centred = five - five.mean(axis=0)
    size = (centred * (TEMPLATE - middle)).sum() / (centred**2).sum()
    return centred * size * scale + middle + place


def measured(marks: np.ndarray) -> np.ndarray:
    """(n, 2) yaw and pitch of (n, 5, 2), by the device's own measure: from the nose's place among the others."""
    eyes, line = marks[:, :2].mean(axis=1), marks[:, 1] - marks[:, 0]
    distance = np.maximum(np.linalg.norm(line, axis=1), 1e-9)
    along = line / distance[:, None]

    def from_eyes(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = (point - eyes).T
        return x * along[:, 0] + y * along[:, 1], y * along[:, 0] - x * along[:, 1]

    (nose_x, nose_y), (_, mouth) = from_eyes(marks[:, 2]), from_eyes(marks[:, 3:].mean(axis=1))
    share = nose_y / np.where(mouth > 0, mouth, np.nan)
    pitch = np.rad2deg(np.arctan((share - _NOSE_LEVEL) / _NOSE_PITCH_DEPTH))
    yaw = np.rad2deg(np.arctan(nose_x / distance / _NOSE_DEPTH))
    return np.stack([yaw, np.where(mouth > 0, pitch, np.where(np.isnan(mouth), np.nan, 90.0))], axis=1)


def fitted(marks: np.ndarray) -> np.ndarray:
    """(n, 2) yaw and pitch of (n, 5, 2): those at which ``FACE``, moved, turned in the plane and enlarged as need be,
    lies nearest by least squares. To a tenth of a degree, within 80 and 60."""
    return np.array([_fitted(one) if np.isfinite(one).all() else (np.nan, np.nan) for one in marks]).reshape(-1, 2)


def _fitted(marks: np.ndarray) -> tuple[float, float]:
    wanted = marks @ (1, 1j)
    wanted = wanted - wanted.mean()

    def best(yaws: np.ndarray, pitches: np.ndarray) -> tuple[float, float]:
        yaw, pitch = (grid.ravel() for grid in np.meshgrid(yaws, pitches, indexing="ij"))
        found = turned(FACE, yaw, pitch) @ (1, 1j)
        found = found - found.mean(axis=1, keepdims=True)
        # What the best similarity explains.
        explained = np.abs(found.conj() @ wanted) ** 2 / (np.abs(found) ** 2).sum(axis=1)
        at = int(explained.argmax())
        return float(yaw[at]), float(pitch[at])

    yaw, pitch = best(np.arange(-80, 81, 2.0), np.arange(-60, 61, 2.0))
    near = np.arange(-2, 2.05, 0.1)
    return best(np.clip(yaw + near, -80, 80), np.clip(pitch + near, -60, 60))
