//! Damage of one family, drawn at random: what a pack's measure of recognisability is made from.

use arcdoor_calib::Random;

use super::colour::Rgb;
use super::damage::Damage;
use super::family::Family;

/// Damage that is strong enough to be a danger, and up to what leaves no face.
pub(crate) fn draw(family: Family, random: &mut Random) -> Damage {
    match family {
        Family::Turn => Damage::Turn(sign(random) * between(random, 15.0, 180.0)),
        Family::Shift => {
            let (far, way) = (between(random, 9.0, 26.0), between(random, 0.0, std::f32::consts::TAU));
            Damage::Shift(far * way.cos(), far * way.sin())
        }
        Family::Scale if is_first(random) => Damage::Scale(between(random, 0.45, 0.8)),
        Family::Scale => Damage::Scale(between(random, 1.25, 2.2)),
        Family::Narrow if is_first(random) => Damage::Stretch(between(random, 0.55, 0.8), 1.0),
        Family::Narrow => Damage::Stretch(1.0, between(random, 1.25, 1.7)),
        Family::Wide if is_first(random) => Damage::Stretch(between(random, 1.25, 1.7), 1.0),
        Family::Wide => Damage::Stretch(1.0, between(random, 0.55, 0.8)),
        Family::Shear => Damage::Shear(sign(random) * between(random, 0.2, 0.6)),
        Family::Bend if is_first(random) => Damage::Wave(sign(random) * between(random, 3.0, 7.0)),
        Family::Bend => Damage::Bulge(between(random, 0.25, 0.6)),
        Family::Hollow => Damage::Bulge(-between(random, 0.2, 0.6)),
        Family::Mask => Damage::Mask(colour(random), between(random, -6.0, 8.0)),
        Family::Glasses if random.signed() < -0.5 => Damage::MaskAndGlasses(colour(random), dark(random)),
        Family::Glasses => {
            Damage::Glasses(dark(random), between(random, 11.0, 19.0), between(random, 8.0, 15.0))
        }
        Family::Hood => hood(random),
        Family::Cover => cover(random),
        Family::Blur if is_first(random) => Damage::Blur(between(random, 1.8, 10.0)),
        Family::Blur => Damage::Motion(between(random, 9.0, 28.0), between(random, 0.0, 180.0)),
        Family::Small if is_first(random) => Damage::Small(between(random, 9.0, 28.0)),
        Family::Small => Damage::Mosaic(between(random, 12.0, 28.0)),
        Family::Light => light(random),
        Family::Grain => grain(random),
    }
}

fn hood(random: &mut Random) -> Damage {
    let hood = Damage::Hood(colour(random), between(random, 25.0, 42.0), between(random, 34.0, 50.0));
    let cap = Damage::Cap(colour(random), between(random, 20.0, 60.0), 0.0);
    let fringe = Damage::Cap(colour(random), between(random, 20.0, 56.0), between(random, 0.0, 50.0));
    one_of(random, [hood, cap, fringe])
}

fn cover(random: &mut Random) -> Damage {
    let [x, y] = [between(random, 0.0, 60.0), between(random, 0.0, 60.0)];
    let [w, h] = [between(random, 25.0, 60.0), between(random, 25.0, 60.0)];
    let [left, right] = [[0.0, 0.0, 56.0, 112.0], [56.0, 0.0, 56.0, 112.0]];
    let [upper, lower] = [[0.0, 0.0, 112.0, 56.0], [0.0, 56.0, 112.0, 56.0]];
    let half = one_of(random, [left, right, upper, lower]);
    Damage::Block(colour(random), one_of(random, [[x, y, w, h], [x, y, w, h], half]))
}

fn light(random: &mut Random) -> Damage {
    let gain = between(random, 0.04_f32.ln(), 0.35_f32.ln()).exp();
    let dark = Damage::Dark { gain, noise: between(random, 0.0, 4.0), lifted: is_first(random) };
    let bright = Damage::Bright(between(random, 2.0, 7.0), 0.0);
    let fog = Damage::Bright(between(random, 0.1, 0.4), between(random, 20.0, 180.0));
    let side = Damage::Side(between(random, -1.2, 0.1));
    let [r, g, b] = [(); 3].map(|()| between(random, 0.05, 1.0));
    one_of(random, [dark, dark, bright, fog, side, Damage::Invert, Damage::Cast(r, g, b)])
}

fn grain(random: &mut Random) -> Damage {
    let noise = Damage::Noise(between(random, 15.0, 120.0));
    let posterise = Damage::Posterise(one_of(random, [2, 3, 4]));
    let coded = Damage::Coded(between(random, 20.0, 120.0));
    one_of(random, [noise, noise, posterise, coded, coded, Damage::Lines, Damage::Halftone])
}

fn between(random: &mut Random, least: f32, most: f32) -> f32 {
    least + (most - least) * (random.signed() + 1.0) / 2.0
}

fn is_first(random: &mut Random) -> bool {
    random.signed() < 0.0
}

fn sign(random: &mut Random) -> f32 {
    if is_first(random) { -1.0 } else { 1.0 }
}

fn one_of<T: Copy, const N: usize>(random: &mut Random, of: [T; N]) -> T {
    of[(random.next_u64() % N as u64) as usize]
}

fn colour(random: &mut Random) -> Rgb {
    [(); 3].map(|()| between(random, 0.0, 255.0) as u8)
}

/// As sunglasses are.
fn dark(random: &mut Random) -> Rgb {
    [(); 3].map(|()| between(random, 0.0, 110.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_of_its_family_and_drawn_again_from_the_same_seed() {
        for family in Family::ALL {
            let drawn = |seed| (0..50).scan(Random(seed), |random, _| Some(draw(family, random)));
            assert!(drawn(1).all(|damage| damage.family() == Some(family)), "{family:?}");
            assert_eq!(drawn(7).collect::<Vec<_>>(), drawn(7).collect::<Vec<_>>());
        }
    }
}
