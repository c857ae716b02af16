"""Images that look enough like faces to try the trainer with: an identity is a set of shapes and colours, an image
of it a pose, a light and noise. They teach nobody to recognise people."""

import numpy as np

_SIDE = 112


def face(seed: int, identity: int, image: int) -> np.ndarray:
    """(112, 112, 3) uint8; the same for the same three numbers."""
    who = np.random.default_rng([seed, identity])
    how = np.random.default_rng([seed, identity, image + 1])
    shift = how.normal(0.0, 1.5, 2)
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
    x, y = x - shift[0], y - shift[1]
    skin, back = who.uniform(60, 220, 3), how.uniform(20, 235, 3)
    crop = np.broadcast_to(back, (_SIDE, _SIDE, 3)).astype(np.float32).copy()

    def ellipse(centre_x: float, centre_y: float, radius_x: float, radius_y: float, colour: np.ndarray) -> None:
        distance = ((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2
        cover = np.clip((1.0 - distance) * 4.0, 0.0, 1.0)[..., None]
        crop[:] = crop * (1.0 - cover) + colour * cover

    ellipse(56, 44, who.uniform(44, 54), who.uniform(48, 56), who.uniform(0, 160, 3))
    ellipse(56, 64, who.uniform(34, 46), who.uniform(44, 54), skin)
    eyes, size = who.uniform(0, 200, 3), who.uniform(3, 8)
    height = who.uniform(-3, 3)
    brow, thick = who.uniform(6, 12), who.uniform(1, 3)
    for side in (38.3, 73.5):
        ellipse(side, 51.6 + height, size * 1.5, size, np.full(3, 235.0))
        ellipse(side, 51.6 + height, size * 0.6, size * 0.7, eyes)
        ellipse(side, 51.6 + height - brow, 10, thick, skin * who.uniform(0.1, 0.6))
    ellipse(56, 71.7, who.uniform(3, 9), who.uniform(5, 14), skin * who.uniform(0.6, 0.9))
    ellipse(56, 92.3, who.uniform(9, 20), who.uniform(2, 6), np.array([who.uniform(120, 220), 40, 60]))
    for _ in range(3):
        ellipse(who.uniform(25, 87), who.uniform(30, 105), 3, 3, skin * who.uniform(0.2, 1.4))
    light = 1.0 + how.uniform(-0.35, 0.35) * (x / _SIDE - 0.5)[..., None]
    crop = crop * light * how.uniform(0.75, 1.25) + how.normal(0.0, 4.0, crop.shape)
    return np.clip(crop, 0, 255).astype(np.uint8)
