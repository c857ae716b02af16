"""The weights alone: whether they tell who was among those whom the network was tuned on."""

import numpy as np
import onnx

from arcdoor_train.inversion.judges import Judge as Network
from arcdoor_train.leakage import judges, photos, statistics
from arcdoor_train.leakage.found import Found
from arcdoor_train.leakage.scene import Scene
from arcdoor_train.leakage.section import Members
from arcdoor_train.leakage.share import Figure, area

ESTIMATED = "membership by statistics re-estimated from public crops (AUC)"
SHIPPED = "membership by the file's own BatchNorm statistics (AUC)"
TAUGHT = "membership by agreement with the network that taught it (AUC)"


def look(scene: Scene) -> Found:
    """The file, and membership where the configuration names members."""
    centres = _centres(scene.pack.file, scene.pack.dimension)
    facts = {
        "class centres": "; ".join(centres)
        or "none: the file ends at the embedding, and holds no table that nothing reads",
        "BatchNorm statistics": f"of {scene.victim.norms} layers" if scene.victim.norms else "none: folded",
    }
    members = scene.section.members
    if members is None:
        return Found("weights", facts=facts | {"membership": "not measured: leak.members names no crops"})
    return Found("weights", figures=_membership(scene, members), facts=facts)


def _centres(file: object, dimension: int) -> list[str]:
    """Tensors with a side of the template's dimension that nothing reads, and outputs beside the embedding."""
    model = onnx.load(file)
    read = {name for node in model.graph.node for name in node.input}
    unread = [
        f"{tensor.name} {list(tensor.dims)}"
        for tensor in model.graph.initializer
        if tensor.name not in read and dimension in tensor.dims and len(tensor.dims) == 2
    ]
    return unread + [f"output {entry.name}" for entry in model.graph.output[1:]]


def _membership(scene: Scene, wanted: Members) -> dict[str, Figure]:
    """The higher a figure above 0.5, the more is told."""
    inside = photos.listed(wanted.crops, wanted.members, wanted.most)
    outside = photos.listed(wanted.crops, wanted.outsiders, wanted.most)
    found = {ESTIMATED: _nearer(scene, scene.statistics, inside, outside)}
    shipped = statistics.shipped(scene.victim)
    if shipped:
        found[SHIPPED] = _nearer(scene, shipped, inside, outside)
    for other in scene.section.judges:
        if other.taught and judges.at_hand(other):
            teacher = Network(other, scene.threads)
            pairs = [(scene.victim(images), teacher(images)) for images in (inside, outside)]
            if pairs[0][0].shape == pairs[0][1].shape:
                found[TAUGHT] = area(*(np.sum(own * taught, axis=1) for own, taught in pairs))
    return found


def _nearer(scene: Scene, known: statistics.Statistics, inside: np.ndarray, outside: np.ndarray) -> Figure:
    near, far = (-statistics.distances(scene.victim, known, images) for images in (inside, outside))
    return area(near, far)
