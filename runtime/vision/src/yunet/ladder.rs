//! The few input sizes that YuNet runs at, and which one a frame needs.

use crate::detect::Region;

/// Longest sides of the inputs, in pixels.
pub(crate) const SIDES: [usize; 4] = [160, 320, 640, 1280];
/// Side of the square input for one face's landmarks, in pixels.
pub(crate) const LANDMARKS_SIDE: usize = SIDES[0];
/// Width in network pixels that a face needs to be found well (YuNet was trained on faces from 10).
pub const SMALLEST_FACE_NET_PX: f32 = 16.0;
/// Sides are multiples of the largest stride.
const MULTIPLE: usize = 32;
/// Shapes of one longest side: square, 4:3 lying, 4:3 standing.
const SHAPES: usize = 3;
/// All inputs there can be.
pub(crate) const INPUTS: usize = SIDES.len() * SHAPES;

/// How a region is run: which input, and how large the region is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Index among [`INPUTS`].
    pub(crate) index: usize,
    /// Width and height of the network's input.
    pub(crate) net: [usize; 2],
    /// Width and height of the scaled region, at most `net`.
    pub(crate) scaled: [u32; 2],
}

/// The smallest input in which a face of `min_face` frame pixels is still found; the largest where
/// none is large enough. A region is enlarged only as far as its smallest face asks for.
pub(crate) fn fit(region: &Region, min_face: f32) -> Fit {
    let wanted = SMALLEST_FACE_NET_PX / min_face;
    let longest = region.longest() as f32;
    let enough = |side: &usize| *side as f32 / longest >= wanted;
    let rung = SIDES.iter().position(enough).unwrap_or(SIDES.len() - 1);
    fit_side(region, rung, wanted.max(1.0))
}

/// The region in the landmarker's square, enlarged to at most `max_scale`. A region that the frame's edge cuts takes
/// the same input, so that none of them has to load another.
pub(crate) fn fit_square(region: &Region, max_scale: f32) -> Fit {
    Fit { index: 0, net: [LANDMARKS_SIDE; 2], scaled: scaled(region, LANDMARKS_SIDE, max_scale) }
}

fn scaled(region: &Region, side: usize, max_scale: f32) -> [u32; 2] {
    let scale = (side as f32 / region.longest() as f32).min(max_scale);
    [region.w, region.h].map(|v| ((v as f32 * scale).round() as u32).clamp(1, side as u32))
}

/// The region at rung `rung` of [`SIDES`], enlarged to at most `max_scale`.
fn fit_side(region: &Region, rung: usize, max_scale: f32) -> Fit {
    let side = SIDES[rung];
    let scaled = scaled(region, side, max_scale);
    let short = short(side);
    let shape = match scaled.map(|v| v as usize <= short) {
        [_, true] => 1,
        [true, false] => 2,
        [false, false] => 0,
    };
    Fit { index: rung * SHAPES + shape, net: shapes(side)[shape], scaled }
}

/// The shorter side of what is not square.
fn short(side: usize) -> usize {
    (side * 3 / 4).next_multiple_of(MULTIPLE)
}

/// Width and height, in the order of [`INPUTS`].
fn shapes(side: usize) -> [[usize; 2]; SHAPES] {
    [[side, side], [side, short(side)], [short(side), side]]
}

/// Width and height of all inputs.
pub(crate) fn all() -> impl Iterator<Item = [usize; 2]> {
    SIDES.into_iter().flat_map(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(w: u32, h: u32) -> Region {
        Region { x: 0, y: 0, w, h }
    }

    #[test]
    fn larger_faces_and_smaller_regions_take_smaller_inputs() {
        assert_eq!(fit(&frame(1280, 720), 20.0).net, [1280, 960]);
        assert_eq!(fit(&frame(1280, 720), 40.0).net, [640, 480]);
        assert_eq!(fit(&frame(1280, 720), 80.0).net, [320, 256]);
        assert_eq!(fit(&frame(1280, 720), 200.0).net, [160, 128]);
        assert_eq!(fit(&frame(400, 400), 40.0).net, [160, 160]);
        assert_eq!(fit(&frame(480, 640), 40.0).net, [256, 320]);
    }

    proptest! {
        #[test]
        fn the_scaled_region_fits_and_keeps_its_smallest_face(
            w in 1_u32..5000, h in 1_u32..5000, min_face in 8.0_f32..500.0
        ) {
            let fit = fit(&frame(w, h), min_face);
            prop_assert!(fit.scaled[0] as usize <= fit.net[0] && fit.scaled[1] as usize <= fit.net[1]);
            prop_assert!(fit.net.iter().all(|side| side % MULTIPLE == 0) && fit.index < INPUTS);
            let scale = fit.scaled[0].max(fit.scaled[1]) as f32 / w.max(h) as f32;
            let kept = min_face * scale * 1.05 + 1.0 >= SMALLEST_FACE_NET_PX;
            prop_assert!(kept || fit.net.contains(&SIDES[SIDES.len() - 1]));
        }
    }
}
