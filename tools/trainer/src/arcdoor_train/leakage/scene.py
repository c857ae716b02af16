"""What all thieves share: the attacked network, the photos, the judges, and the decoder of plain templates, each made
when it is first wanted."""

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import checkpoint, config
from arcdoor_train.errors import DataError, DiskError
from arcdoor_train.inversion import marked, picture
from arcdoor_train.leakage import decoder, judges, pack, photos, quantiser, statistics
from arcdoor_train.leakage.decoder import Decoder
from arcdoor_train.leakage.judges import Judge, Success
from arcdoor_train.leakage.section import Leak
from arcdoor_train.leakage.victim import Victim

#: What chance is drawn for, added to the seed: no section's figures hang on which others ran before it.
DECODER, DESCENT, SEALED, KEY, OTHER_KEY, LINKED, CROPS = range(1, 8)


class Scene:
    """One pack, one set of people."""

    def __init__(self, own: pack.Pack, section: Leak, run: config.Run, device: torch.device, keep: bool) -> None:
        """``keep``: drawn pictures stay, marked. Raises ``DataError``, ``NotPlainError``."""
        self.pack, self.section, self.seed, self.keep = own, section, run.seed, keep
        self.folder, self.threads = config.expand(run.folder), run.threads or 1
        self.victim = Victim(own, device)
        self.people = photos.of_people(section.gallery)
        #: Called with (what, of how many) and giving a function that hears of steps.
        self.progress: Callable[[str, int], Callable[[int], None]] = lambda _what, _total: lambda _steps: None

    def chance(self, what: int, more: int = 0) -> int:
        """A seed of its own for each use."""
        return int(np.random.SeedSequence([self.seed, what, more]).generate_state(1)[0])

    @cached_property
    def known(self) -> photos.Photos:
        """Other people of the gallery. Raises ``DataError`` where one of the attacked is among them."""
        found = photos.of_people(self.section.known)
        own = {name.rpartition("/")[0] for name in self.people.names}
        both = own & {name.rpartition("/")[0] for name in found.names}
        if both:
            raise DataError(f"leak.known and leak.gallery share {', '.join(sorted(both)[:3])}: name other people")
        return found

    @cached_property
    def known_templates(self) -> np.ndarray:
        """(n, d) of all photos of ``known``."""
        return self.victim(self.known.images)

    @cached_property
    def door(self) -> Judge:
        """The attacked network as a judge."""
        return judges.door(self.victim, self.pack, self.section, self.people)

    @property
    def templates(self) -> np.ndarray:
        """(people, d): what the thief wants, or has."""
        return self.door.real[self.people.source]

    @cached_property
    def _others(self) -> tuple[list[Judge], list[str], dict[str, str]]:
        more = self.known
        return judges.others(self.section, self.pack.digest, self.people, more.images, more.people, self.threads)

    @property
    def judges(self) -> list[Judge]:
        """The door first."""
        return [self.door, *self._others[0]]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the judges."""
        return self._others[1]

    @property
    def digests(self) -> dict[str, str]:
        """Of the judges' files."""
        return self._others[2]

    @cached_property
    def public_images(self) -> np.ndarray:
        """(n, 112, 112, 3) crops that a thief has."""
        return photos.public(self.section.decoder.crops, self.section.decoder.most, self.chance(CROPS))

    @cached_property
    def public(self) -> tuple[np.ndarray, np.ndarray]:
        """These, and their templates, which are kept for a run that goes on."""
        images, path = self.public_images, self.folder / "work" / "public.pt"
        if path.is_file():
            return images, checkpoint.load_tensors(path)["templates"].numpy()
        tell, parts = self.progress("templates of public crops", len(images)), []
        for start in range(0, len(images), 256):
            parts.append(self.victim(images[start : start + 256]))
            tell(len(parts[-1]))
        self._save(path, {"templates": torch.from_numpy(np.concatenate(parts))})
        return images, np.concatenate(parts)

    @cached_property
    def statistics(self) -> statistics.Statistics:
        """Re-estimated from public crops."""
        return statistics.estimated(self.victim, self.public[0][: max(self.section.statistics, 2)])

    @cached_property
    def lessons(self) -> decoder.Lessons:
        """What decoders are trained on."""
        return decoder.lessons(*self.public, self.section.decoder.side)

    @cached_property
    def decoder(self) -> Decoder:
        """Of plain templates; kept for a run that goes on."""
        return self.decoding("f32")

    def decoding(self, kind: str) -> Decoder:
        """A decoder of templates of that ``kind``: adapted from the plain one."""
        path, wanted, given = self.folder / "work" / f"decoder-{kind.replace(' ', '-')}.pt", self.section.decoder, None
        model = Decoder(self.pack.dimension, wanted.side, wanted.width).to(self.victim.device)
        if path.is_file():
            model.load_state_dict(checkpoint.load_tensors(path)["model"])
            return model.eval()
        if kind != "f32":
            given = self.decoder.state_dict()
        passes = wanted.epochs if given is None else wanted.adapted
        tell = self.progress(f"decoder of {kind}", decoder.total(len(self.lessons.templates), wanted, passes))
        seed = self.chance(DECODER, quantiser.KINDS.index(kind))
        model = decoder.taught(
            self.victim, wanted, self.lessons, seed, tell, given, lambda rows: quantiser.stored(rows, kind)
        )
        self._save(path, {"model": model.state_dict()})
        return model

    @property
    def some(self) -> np.ndarray:
        """Numbers of the people whom gradient inversion attacks."""
        count = min(self.section.gradient.people, self.people.count)
        return np.arange(count) * self.people.count // count

    def judged(self, name: str, pictures: torch.Tensor, people: np.ndarray) -> tuple[list[Success], np.ndarray]:
        """What all judges say of pictures (n, 3, side, side) of the people of those numbers; and cosines to their
        templates by the attacked network."""
        images = picture.pixels(pictures)
        if self.keep:
            place = self.folder / "pictures" / re.sub(r"[^a-z0-9]+", "-", name.lower())
            checkpoint.make(place)
            for number, image in zip(people, images, strict=True):
                marked.write(place / f"{number:05}.png", image)
        found = [(judge, judge.features(images)) for judge in self.judges]
        success = [one for judge, rows in found for one in judge.rows(rows, people)]
        return success, self.door.cosines(found[0][1], people)

    def _save(self, path: Path, content: dict) -> None:
        checkpoint.make(path.parent)
        checkpoint.save_tensors(path, content)

    def tidy(self) -> None:
        """Removes what only a run that goes on needs. Raises ``DiskError``."""
        work = self.folder / "work"
        try:
            for path in work.iterdir() if work.is_dir() else []:
                path.unlink()
            if work.is_dir():
                work.rmdir()
        except OSError as error:
            raise DiskError(f"cannot remove {work}: {error}") from error
