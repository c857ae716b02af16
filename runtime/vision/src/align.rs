//! Alignment: the similarity that takes a face's landmarks to the ArcFace template, and the warp along it.

use crate::error::VisionError;
use crate::preprocess::Channels;
use arcdoor_core::{Landmarks5, Point};
use arcdoor_frame::{RgbView, WidePixel};

/// Where the five landmarks lie in an aligned crop of 112 x 112 pixels (InsightFace's `arcface_dst`,
/// python-package/insightface/utils/face_align.py).
pub const ARCFACE_112: [Point; 5] = [
    Point::new(38.2946, 51.6963),
    Point::new(73.5318, 51.5014),
    Point::new(56.0252, 71.7366),
    Point::new(41.5493, 92.3655),
    Point::new(70.7299, 92.2041),
];

/// The side of the crop that [`ARCFACE_112`] is drawn in.
pub const TEMPLATE_SIDE: u32 = 112;

/// Rotation, uniform scale and translation: `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times the cosine of the angle.
    pub a: f64,
    /// Scale times the sine of the angle.
    pub b: f64,
    /// Shift to the right, in target pixels.
    pub tx: f64,
    /// Shift downwards, in target pixels.
    pub ty: f64,
}

impl Similarity {
    /// The similarity without reflection that takes `from` to `to` with the least sum of squared
    /// distances; `None` where the points of either set coincide or are not finite.
    ///
    /// In the plane the minimum has a closed form, equal to that of Umeyama ("Least-squares estimation
    /// of transformation parameters between two point patterns", PAMI 1991) where his determinant is
    /// positive: with centred p and q, `a = sum(p . q) / sum |p|^2`, `b = sum(p x q) / sum |p|^2`.
    #[must_use]
    pub fn between(from: &[Point; 5], to: &[Point; 5]) -> Option<Self> {
        let (p0, q0) = (mean(from), mean(to));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p.x) - p0[0], f64::from(p.y) - p0[1]);
            let (qx, qy) = (f64::from(q.x) - q0[0], f64::from(q.y) - q0[1]);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let (a, b) = (dot / spread, cross / spread);
        let found = Self { a, b, tx: q0[0] - a * p0[0] + b * p0[1], ty: q0[1] - b * p0[0] - a * p0[1] };
        let usable = spread > 1e-6 && a * a + b * b > 1e-12 && found.tx.is_finite() && found.ty.is_finite();
        usable.then_some(found)
    }

    /// The similarity to the ArcFace template drawn in a crop of `side` x `side` pixels.
    ///
    /// # Errors
    /// When the landmarks coincide or are not finite.
    pub fn to_template(landmarks: &Landmarks5, side: u32) -> Result<Self, VisionError> {
        let factor = side as f32 / TEMPLATE_SIDE as f32;
        let template = ARCFACE_112.map(|p| Point::new(p.x * factor, p.y * factor));
        Self::between(&landmarks.0, &template).ok_or(VisionError::Landmarks)
    }

    /// Where the similarity takes `p`.
    #[must_use]
    pub fn apply(&self, p: Point) -> Point {
        let (x, y) = (f64::from(p.x), f64::from(p.y));
        Point::new((self.a * x - self.b * y + self.tx) as f32, (self.b * x + self.a * y + self.ty) as f32)
    }

    /// The inverse: takes each point back to where it came from. Not finite where `a` and `b` are both 0.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }
}

fn mean(points: &[Point; 5]) -> [f64; 2] {
    let sum = points.iter().fold([0.0, 0.0], |s, p| [s[0] + f64::from(p.x), s[1] + f64::from(p.y)]);
    sum.map(|v| v / points.len() as f64)
}

/// Warps `frame` along `to_crop` into `out`: the planes of `channels`, `side` x `side` each, bilinear, black beyond
/// the frame. One pass, nothing allocated.
///
/// # Panics
/// When `out` is shorter than those planes.
pub fn warp(frame: RgbView<'_>, to_crop: &Similarity, channels: &Channels, side: u32, out: &mut [f32]) {
    let plane = (side * side) as usize;
    sample_runs(frame, to_crop, side, |index, pixels, _| {
        for channel in 0..channels.planes() {
            channels.fill(channel, pixels, &mut out[channel * plane + index..][..pixels.len()]);
        }
    });
}

/// Pixels that are sampled before they are handed on: a row of most crops, in the first cache.
const RUN: u32 = 128;
/// A pixel's width in the fixed-point numbers that positions are.
const ONE: f64 = (1_u64 << 32) as f64;

/// The frame's pixels under every pixel of the crop, in runs of a row: the index of the run's first pixel in
/// the crop, its pixels, and of how many of them the source lies in the frame.
pub(crate) fn sample_runs(
    frame: RgbView<'_>,
    to_crop: &Similarity,
    side: u32,
    mut each: impl FnMut(usize, &[WidePixel], u32),
) {
    let back = to_crop.inverse();
    let mut pixels = [WidePixel::default(); RUN as usize];
    for row in 0..side {
        for start in (0..side).step_by(RUN as usize) {
            let (x, y) = (f64::from(start), f64::from(row));
            let from = [back.tx + back.a * x - back.b * y, back.ty + back.b * x + back.a * y];
            let run = &mut pixels[..(side - start).min(RUN) as usize];
            let inside = sample(frame, from, [back.a, back.b], run);
            each((row * side + start) as usize, run, inside);
        }
    }
}

/// One run of pixels that starts at the frame's position `from` and takes `step` from pixel to pixel.
/// Returns how many of them lie in the frame.
fn sample(frame: RgbView<'_>, from: [f64; 2], step: [f64; 2], pixels: &mut [WidePixel]) -> u32 {
    // Far beyond any frame, and no sum of a run overflows. Where a step is cut, the crop has no face in it.
    let [mut x, mut y] = from.map(|v| ((v * ONE) as i64).clamp(-1 << 60, 1 << 60));
    let [dx, dy] = step.map(|v| ((v * ONE) as i64).clamp(-1 << 50, 1 << 50));
    let whole = |side: u32, border: u32| u64::from(side.saturating_sub(border)) << 32;
    // A pixel is read as four bytes, so the last column is not for `interior`.
    let easy = [whole(frame.width(), 2), whole(frame.height(), 1)];
    let last = [whole(frame.width(), 1), whole(frame.height(), 1)];
    let mut inside = 0;
    for pixel in pixels {
        // As unsigned numbers, negative positions are above every limit.
        let (ux, uy) = (x as u64, y as u64);
        if ux < easy[0] && uy < easy[1] {
            *pixel = interior(frame, ux, uy);
            inside += 1;
        } else {
            *pixel = bordered(frame, x as f64 / ONE, y as f64 / ONE);
            inside += u32::from(ux <= last[0] && uy <= last[1]);
        }
        x += dx;
        y += dy;
    }
    inside
}

/// Bilinear where all four neighbours lie in the frame, and one column more.
#[inline]
fn interior(frame: RgbView<'_>, x: u64, y: u64) -> WidePixel {
    let at = (y >> 32) as usize * frame.stride() + (x >> 32) as usize * 3;
    // The upper 24 bits of the fraction are a float exactly.
    let fraction = |v: u64| (v as u32 >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32);
    let (fx, fy) = (fraction(x), fraction(y));
    let above = &frame.data()[at..at + 7];
    let below = &frame.data()[at + frame.stride()..][..7];
    let wide =
        |bytes: &[u8], from: usize| -> WidePixel { core::array::from_fn(|i| f32::from(bytes[from + i])) };
    let [a, b, c, d] = [wide(above, 0), wide(above, 3), wide(below, 0), wide(below, 3)];
    core::array::from_fn(|i| {
        let top = a[i] + fx * (b[i] - a[i]);
        let bottom = c[i] + fx * (d[i] - c[i]);
        top + fy * (bottom - top)
    })
}

/// Bilinear with black neighbours beyond the frame.
#[cold]
fn bordered(frame: RgbView<'_>, x: f64, y: f64) -> WidePixel {
    let (width, height) = (i64::from(frame.width()), i64::from(frame.height()));
    if !(x > -1.0 && y > -1.0 && x < width as f64 && y < height as f64) {
        return [0.0; 4];
    }
    let (column, row) = (x.floor() as i64, y.floor() as i64);
    let (fx, fy) = ((x - x.floor()) as f32, (y - y.floor()) as f32);
    let mut rgb = [0.0; 4];
    for (dx, dy, weight) in
        [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)]
    {
        let (px, py) = (column + dx, row + dy);
        if (0..width).contains(&px) && (0..height).contains(&py) {
            let pixel = &frame.row(py as u32)[px as usize * 3..][..3];
            rgb.iter_mut().zip(pixel).for_each(|(sum, &v)| *sum += weight * f32::from(v));
        }
    }
    rgb
}

#[cfg(test)]
mod tests;
