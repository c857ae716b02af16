"""Which way the drawn faces look, how large they are and where: by the five points that one network finds in them. The
attacked network sees the picture aligned by the asked points, as a device would align a photo."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from arcdoor_train import config, crops, omz
from arcdoor_train.errors import ConfigError, DataError
from arcdoor_train.inversion import eigenfaces, picture, pose, warp
from arcdoor_train.inversion.section import Invert, Steer
from arcdoor_train.inversion.target import Closed, Target
from arcdoor_train.inversion.target import Open as OpenSet
from arcdoor_train.teachers import digest

#: Left upper corner and side of the face's square in an aligned crop: of those tried on 120 crops of LFW one of the
#: nearest to the device's points (3.3 pixels in the mean; the whole crop 3.4). In a step it is moved and enlarged by up
#: to so much.
_SQUARE, _MOVED, _ENLARGED = (4.0, 4.0, 104.0), 4.0, 0.08
#: In a step so much noise lies over what the landmark network sees (standard deviation; a crop's is about 0.4), and so
#: much more or less contrast and light it has: what pleases one network alone does not outlast that.
_NOISE, _CONTRAST, _LIGHT = 0.1, 0.2, 0.1


class Steering:
    """What ``[invert.steer]`` asks for, made ready: each target is drawn at each pose, all targets at the first, then
    all at the second."""

    def __init__(self, section: Steer, people: int, device: torch.device, keep: Path | None = None) -> None:
        """``keep``: the file where the points of ``section.faces`` lie for the next time."""
        self.section, self.people, self.device, self._keep = section, people, device, keep
        path = config.expand(section.landmarks)
        self.digest = digest(path) if path.is_file() else ""
        self._refuse(path)
        self.network = omz.Marks(path).to(device).eval()
        self.poses = section.poses()
        asked = [pose.seen(*angles, section.scale, section.place) for angles in self.poses]
        #: (pictures, 5, 2) where the points shall be.
        self.asked = np.repeat(np.stack(asked), people, axis=0)
        views = [warp.Similarity.between(marks, pose.TEMPLATE).inverse() for marks in asked]
        self._grids = torch.stack([view.grid() for view in views]).to(device)
        self._views = views

    @cached_property
    def faces(self) -> eigenfaces.Eigenfaces | None:
        """Of each pose, as large and where it is asked to be; None where pictures begin as noise."""
        if not self.section.faces:
            return None
        asked = self.asked[:: self.people]
        found = eigenfaces.gather(self.section.faces, self.network, asked, self.digest, self._keep)
        return eigenfaces.Eigenfaces(found.means.to(self.device), found.deviations.to(self.device))

    def _refuse(self, path: Path) -> None:
        if path.suffix != omz.ENDING or not self.digest:
            raise DataError(
                f"steer.landmarks = {path}: a network with a gradient is wanted, the .xml of "
                "landmarks-regression-retail-0009 with its .bin beside it"
            )
        by = config.expand(self.section.measured_by) if self.section.measured_by else None
        if by is not None and by.is_file() and digest(by) == self.digest:
            raise ConfigError("steer.measured_by is the network that the points are drawn by: it would measure itself")

    def spread(self, target: Target) -> Target:
        """Each target at each pose."""
        times = len(self.poses)
        if isinstance(target, Closed):
            return Closed(target.head, np.tile(target.labels.numpy(), times), target.names * times, target.run)
        templates = np.tile(target.templates.numpy(), (times, 1))
        return OpenSet(templates, target.names * times, target.faces, target.covered * times)

    def pose_of(self, number: int) -> tuple[float, float]:
        """Asked yaw and pitch of a picture."""
        return self.poses[number // self.people]

    def note(self, number: int) -> list[str]:
        """A line that says what was asked of a picture."""
        yaw, pitch = self.pose_of(number)
        return [f"asked: yaw {yaw:+g}, pitch {pitch:+g}"]

    def aligned(self, pictures: torch.Tensor, chosen: slice) -> torch.Tensor:
        """(n, 3, 112, 112) as the attacked network and judges take them."""
        return warp.warped(pictures, self._grids[self._numbers(chosen)])

    def aligned_pixels(self, pictures: np.ndarray, first: int = 0) -> np.ndarray:
        """``aligned`` of (n, 112, 112, 3) uint8, the targets' ``first`` and on."""
        chosen = slice(first, first + len(pictures))
        with torch.no_grad():
            return picture.pixels(self.aligned(torch.from_numpy(crops.to_input(pictures)).to(self.device), chosen))

    def _numbers(self, chosen: slice) -> torch.Tensor:
        return torch.arange(chosen.start, chosen.stop) // self.people

    def loss(self, pictures: torch.Tensor, chosen: slice, place: tuple[int, ...]) -> torch.Tensor:
        """Squared pixels between found and asked points, the mean over points and pictures; of the picture and of its
        mirror image, in a square that ``place`` draws: what is drawn must not hang on one square."""
        chance = picture.generator((*place, 1))
        squares = torch.rand(len(pictures), 3, generator=chance, dtype=torch.float64).numpy() * 2 - 1
        views = [self._square(number, row) for number, row in zip(self._numbers(chosen).tolist(), squares, strict=True)]
        rows = 2 * self.network.size[0]
        grids = torch.stack([view.grid(rows) for view in views]).to(pictures.device)
        seen = self._worse(functional.avg_pool2d(warp.warped(pictures, grids), 2), chance)
        wanted = [
            (view.inverse().apply(marks) + 0.5) / rows for view, marks in zip(views, self.asked[chosen], strict=True)
        ]
        wanted = torch.from_numpy(np.stack(wanted).astype(np.float32)).to(pictures.device)
        sizes = torch.tensor([abs(complex(view.a, view.b)) * rows for view in views], device=pictures.device)
        mirrored = self.network(seen.flip(3))[:, pose.MIRRORED] * seen.new_tensor([-1.0, 1.0]) + seen.new_tensor(
            [1.0, 0.0]
        )
        apart = [(found - wanted) * sizes[:, None, None] for found in (self.network(seen), mirrored)]
        return sum(each.square().sum(2).mean() for each in apart) / 2

    @staticmethod
    def _worse(seen: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        """As a poor camera would have it."""
        light = torch.rand(2, len(seen), 1, 1, 1, generator=chance) * 2 - 1
        noise = _NOISE * torch.randn(seen.shape, generator=chance)
        contrast, shift = (1 + _CONTRAST * light[0]).to(seen.device), (_LIGHT * light[1] + noise).to(seen.device)
        return (seen * contrast + shift).clamp(picture.LOWEST, picture.HIGHEST)

    def _square(self, number: int, drawn: np.ndarray) -> warp.Similarity:
        """From the pixels of what the network takes, twice enlarged, to the picture's."""
        left, top, side = _SQUARE
        larger = side * (1 + _ENLARGED * drawn[2])
        left, top = (
            corner - (larger - side) / 2 + _MOVED * move for corner, move in zip((left, top), drawn, strict=False)
        )
        rows = 2 * self.network.size[0]
        factor = larger / rows
        inner = warp.Similarity(factor, 0.0, left + (factor - 1) / 2, top + (factor - 1) / 2)
        return _after(self._views[number], inner)

    def start(self, chosen: slice, side: int, place: tuple[int, ...]) -> torch.Tensor:
        """The pixels that pictures begin as: noise, a little where there is a face behind."""
        noise = picture.noise(chosen.stop - chosen.start, side, place)
        return self.section.noise * noise if self.faces else noise

    def weights(self, chosen: slice) -> torch.Tensor | None:
        """(n, kept) how many deviations along each eigenface a face begins with: none. None without faces."""
        if not self.faces:
            return None
        return torch.zeros(chosen.stop - chosen.start, self.faces.deviations.shape[1], device=self.device)

    def whole(self, pixels: torch.Tensor, weights: torch.Tensor | None, chosen: slice) -> torch.Tensor:
        """(n, 3, 112, 112): pixels, over a sum of eigenfaces where there are weights of these."""
        over = picture.enlarged(pixels)
        if weights is None:
            return over
        numbers = self._numbers(chosen).to(weights.device)
        # Pictures of one pose follow each other.
        moved = [weights[numbers == one] @ self.faces.deviations[one] for one in numbers.unique()]
        faces = self.faces.means[numbers] + torch.cat(moved).unflatten(1, self.faces.means.shape[1:])
        return (picture.enlarged(faces) + over).clamp(picture.LOWEST, picture.HIGHEST)

    def begin(self) -> str:
        """A hash of the mean faces."""
        return hashlib.sha256(self.faces.means.cpu().numpy().tobytes()).hexdigest() if self.faces else "noise"


def _after(outer: warp.Similarity, inner: warp.Similarity) -> warp.Similarity:
    """``inner``, then ``outer``."""
    factor = complex(outer.a, outer.b) * complex(inner.a, inner.b)
    move = complex(outer.a, outer.b) * complex(inner.right, inner.down) + complex(outer.right, outer.down)
    return warp.Similarity(factor.real, factor.imag, move.real, move.imag)


def of(section: Invert, people: int, device: torch.device, keep: Path | None = None) -> Steering | None:
    """None where nothing is asked. Raises ``DataError``, ``ConfigError``."""
    return Steering(section.steer, people, device, keep) if section.steer else None
