"""What follows from the figures, in words: each sentence by a rule that says when it is said."""

from dataclasses import dataclass

from arcdoor_train.leakage import few_bits, linked, opened, plain, quantiser, sealed, weights
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.share import Figure

#: What holds for every figure.
BOUND = (
    "Every figure is a lower bound. No generator of faces was used, which a thief can have, the decoder is small and "
    "the descent short: a low figure says that these attacks failed, never that a template tells nothing."
)
#: What a gallery is that neither protection holds for.
OFF = "opened, rotation off or its key at hand"
#: An AUC that is above 0.5 by less than this is called weak.
WEAK = 0.6


@dataclass(frozen=True)
class Verdict:
    """What to make of it at the door, and sentences under each of ISO/IEC 24745's properties."""

    summary: tuple[str, ...]
    irreversibility: tuple[str, ...]
    unlinkability: tuple[str, ...]
    renewability: tuple[str, ...]


def of(found: dict[str, Found], pairs: tuple[int, ...]) -> Verdict:
    """What sections that are missing would say is left out."""
    back: list[str] = []
    for name, rule in (("weights", _weights), ("templates", _plain), ("sealed", _sealed)):
        back += rule(found[name]) if name in found else []
    back += _opened(found["opened"], pairs) if "opened" in found else []
    back += _bits(found["few_bits"], found.get("templates")) if "few_bits" in found else []
    links = _links(found["linked"]) if "linked" in found else []
    renewed = _renewed(found["linked"]) if "linked" in found else []
    return Verdict(tuple(_summary(found, pairs)), tuple(back), tuple(links), tuple(renewed))


def _summary(found: dict[str, Found], pairs: tuple[int, ...]) -> list[str]:
    """What protects and what does not."""
    said = []
    if "sealed" in found:
        safe = not any(one.above_chance or one.of_the_photo for one in found["sealed"].attacks)
        said.append(f"The seal, its key away, {'protects' if safe else 'DOES NOT PROTECT'}.")
    if "templates" in found:
        itself = found["templates"].attack(plain.TEMPLATE)
        drawn = [one for one in found["templates"].attacks if one.name != plain.TEMPLATE]
        faces = any(one.above_chance or one.of_the_photo for one in drawn)
        use = "can be used in the person's place" if itself.above_chance else "could not be used in the person's place"
        said.append(
            f"A plain template {use}, and {'pictures' if faces else 'no picture'} that pass for the person "
            f"{'were' if faces else 'was'} drawn from it: with the key at hand, nothing of the person is protected."
            if itself.above_chance or faces
            else f"A plain template {use}, and no picture was drawn from it that passes for the person."
        )
    if "opened" in found:
        said += _falls(found["opened"], pairs)
    if "linked" in found:
        gram = found["linked"].figures[linked.GRAM]
        free = gram.low <= found["linked"].figures[linked.GRAM + linked.CHANCE].value
        said.append(
            "A new key makes templates that match the old ones no more; whether both are of the same people "
            f"{'was not found out' if free else 'shows to who has both galleries open'}."
        )
    if "few_bits" in found:
        less = [kind for kind in quantiser.LEVELS if _less(found["few_bits"], found.get("templates"), kind)]
        said.append(
            f"Fewer bits: {', '.join(less)} took away some of the pictures' success, at the price told below."
            if less
            else "Fewer bits took nothing from the thief that could be told from chance: they are no protection."
        )
    return said


def _falls(found: Found, pairs: tuple[int, ...]) -> list[str]:
    """What the rotation is worth without its key."""
    if any(found.attack(opened.itself(way)).above_chance for way in (opened.NONE, opened.GUESSED)):
        return ["The rotation alone does not protect: templates were got without a single pair."]
    least = [opened.enough(found, pairs, kind) for kind in (opened.SAME, opened.OTHER)]
    counts = [one[0] for one in least if one]
    if not counts:
        return ["The rotation alone, its key away, held against all pairs that were tried."]
    return [
        f"The rotation alone, its key away, held without pairs and fell with {min(counts)} of them: it is renewal, not "
        "irreversibility."
    ]


def _less(found: Found, whole: Found | None, kind: str) -> bool:
    """Whether the best picture passes less often than that of plain templates, beyond chance."""
    before = whole and _best(whole, (plain.DECODER, plain.REFINED)).door()
    return bool(before and _best(found, _ways(kind)).door().type_two.high < before.type_two.low)


def _ways(kind: str) -> tuple[str, ...]:
    return tuple(name(kind) for name in (few_bits.unadapted, few_bits.adapted, few_bits.refined))


def _best(found: Found, names: tuple[str, ...]) -> Attack:
    return max((found.attack(name) for name in names), key=lambda one: one.rank)


def passes(attack: Attack) -> str:
    """How often, in words."""
    door = attack.door()
    if not attack.above_chance:
        alone = f" (for the photo itself alone it does, in {door.type_one.percent()} %)" if attack.of_the_photo else ""
        return (
            f"passes for another photo of the person in {door.type_two.percent()} %, no oftener than for strangers "
            f"({100 * door.strangers:.2f} %) as far as {door.type_two.count} people show{alone}"
        )
    return (
        f"passes for another photo of the person in {door.type_two.percent()} % (for the photo itself in "
        f"{door.type_one.percent()} %; real photos do in {100 * door.photos:.1f} %)"
    )


def _weights(found: Found) -> list[str]:
    bare = found.facts["class centres"].startswith("none")
    said = [
        "The file holds no class centres."
        if bare
        else f"The file may hold class centres: {found.facts['class centres']}."
    ]
    names = {
        weights.ESTIMATED: "statistics re-estimated from public crops",
        weights.SHIPPED: "the file's own BatchNorm statistics",
        weights.TAUGHT: "agreement with the network that taught it",
    }
    for name, words in names.items():
        figure = found.figures.get(name)
        if figure:
            said.append(f"Membership by {words}: {_told(figure)}, AUC {figure}.")
    return said


def _told(figure: Figure) -> str:
    if figure.low <= 0.5:
        return "nothing is told beyond chance"
    return "a little is told" if figure.value < WEAK else "who was a member is told"


def _plain(found: Found) -> list[str]:
    drawn = [one for one in found.attacks if one.name != plain.TEMPLATE]
    best = max(drawn, key=lambda one: one.rank)
    word = (
        "Plain templates are not irreversible"
        if best.above_chance
        else "These attacks drew nobody from plain templates"
    )
    said = [f"{word}: the best picture ({best.name}) {passes(best)}."]
    judges = sorted({row.judge for row in best.success if row.judge != best.door().judge})
    for judge in judges:
        row = next(row for row in best.success if row.judge == judge)
        agrees = "agrees" if row.type_two.low > row.strangers else "does not agree"
        said.append(
            f"{judge} {agrees}: at {row.at} it takes that picture for another photo in {row.type_two.percent()} % (for "
            f"the photo itself in {row.type_one.percent()} %; strangers {100 * row.strangers:.2f} %)."
        )
    itself = found.attack(plain.TEMPLATE)
    said.append(f"Without any picture, a plain template put before the matcher {passes(itself)}.")
    return said


def _sealed(found: Found) -> list[str]:
    drawn = found.attack(sealed.DECODER)
    word = "tells more than it should" if drawn.above_chance else "is worth nothing to these attacks"
    return [f"A sealed gallery {word} without its key: a picture drawn from it {passes(drawn)}."]


def _opened(found: Found, counts: tuple[int, ...]) -> list[str]:
    said = []
    for way, words in ((opened.NONE, "as they are"), (opened.GUESSED, "laid on public ones by their statistics")):
        attack = found.attack(opened.itself(way))
        if attack:
            said.append(f"Rotated templates {words}: the template {passes(attack)}.")
    for kind in (opened.SAME, opened.OTHER):
        least = opened.enough(found, counts, kind)
        if least is None:
            said.append(f"No number of pairs of {kind} that was tried undid the rotation beyond chance.")
            continue
        most = max(count for count in counts if found.attack(opened.itself(opened.pairs(count, kind))))
        best, drawn = (found.attack(way(opened.pairs(most, kind))) for way in (opened.itself, opened.decoded))
        said.append(
            f"The rotation falls to {opened.pairs(least[0], kind)} ({least[1].percent()} % for another photo); with "
            f"{most} a recovered template {passes(best)}, and a picture drawn from it {passes(drawn)}."
        )
    return said


def _bits(found: Found, whole: Found | None) -> list[str]:
    said = []
    for kind in quantiser.LEVELS:
        best = _best(found, _ways(kind))
        less = _less(found, whole, kind)
        word = "gives away less" if less else "gives away no less, as far as it can be told"
        told = f"{kind} {word}: after adaptation the best picture ({best.name}) {passes(best)}"
        prices = [
            f"{100 * found.figures[name].value:+.2f} [{100 * found.figures[name].low:+.2f}, "
            f"{100 * found.figures[name].high:+.2f}] points at FMR {fmr:g}"
            for fmr in few_bits.RATES
            if (name := few_bits.cost(kind, fmr)) in found.figures
        ]
        said.append(f"{told}. Its price in TAR: {'; '.join(prices) or 'not measured: too few photos'}.")
    return said


def _links(found: Found) -> list[str]:
    said = []
    for name in (linked.ONE_KEY, linked.SAME, linked.OTHER):
        figure, chance = found.figures[name], found.figures[name + linked.CHANCE]
        word = "links people" if figure.value > chance.high else "links nobody beyond chance"
        said.append(f"One score {word} ({name}: {figure}; by chance {chance}).")
    grams = [name for name in found.figures if name.startswith("people linked") and not name.endswith(linked.CHANCE)]
    chance = found.figures[linked.GRAM + linked.CHANCE].value
    for name in grams:
        figure = found.figures[name]
        word = "link people" if figure.low > chance else "link nobody beyond chance"
        said.append(
            f"Cosines within each gallery, which no rotation changes, {word}: {figure.percent()} % ({name}; "
            f"chance {100 * chance:.1f} %)."
        )
    return said


def _renewed(found: Found) -> list[str]:
    met, gram = found.figures[linked.RENEWED], found.figures[linked.GRAM]
    chance = found.figures[linked.GRAM + linked.CHANCE].value
    word = "do not match" if met.high < 0.05 else "may match"
    said = [f"Templates under a new key {word} their old forms ({met.percent()} % at the door's threshold)."]
    if gram.low > chance:
        said.append(
            "But renewal hides nobody from who kept the old gallery opened: the same templates before and after are "
            f"laid on each other ({gram.percent()} % of people). Renewal helps where the old gallery was never opened."
        )
    return said


def protections(found: dict[str, Found], pairs: tuple[int, ...]) -> list[tuple[str, Attack]]:
    """The default and its protections switched off one by one, each with its best attack that draws or uses a
    template."""
    rows = []
    if "sealed" in found:
        rows.append(("sealed, rotated (the default, key away)", found["sealed"].attack(sealed.DECODER)))
    if "opened" in found:
        inside = found["opened"]
        ways = [opened.NONE, opened.GUESSED] + [
            opened.pairs(count, kind) for kind in (opened.SAME, opened.OTHER) for count in pairs
        ]
        for way in ways:
            some = [one for one in map(inside.attack, (opened.itself(way), opened.decoded(way))) if one]
            if some:
                rows.append((f"opened, rotated: {way}", max(some, key=lambda one: one.rank)))
    if "templates" in found:
        drawn = [one for one in found["templates"].attacks if one.name != plain.TEMPLATE]
        rows.append((f"{OFF}: the template", found["templates"].attack(plain.TEMPLATE)))
        rows.append((f"{OFF}: the best picture", max(drawn, key=lambda one: one.rank)))
    return rows
