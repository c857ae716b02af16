//! Scaling.

mod axis;

use crate::error::FrameError;
use crate::image::{CHANNELS, RgbImage, RgbView};
use axis::Axis;

/// A pixel on its way: R, G, B in 0..=255, not rounded, and a fourth value without meaning, so that a
/// pixel fills a register.
pub type WidePixel = [f32; 4];

/// Scales images: bilinear, over all source pixels that a target pixel covers, so that shrinking does not
/// alias. It keeps its weights and its scratch memory, a few rows, between calls: for images of one size
/// nothing is allocated or computed anew.
///
/// Own code, since the library that it replaced (`fast_image_resize`) computes its weights for each call, in
/// some 600 allocations, and writes whole images in between. Here a target row is made at once: its source
/// rows are added up first, in 16-bit sums, which is most of the work and vectorises by itself; then its
/// columns. Up to 255 source pixels to a target pixel, values are within 1 of exact ones.
#[derive(Debug, Default)]
pub struct Resizer {
    columns: Axis,
    rows: Axis,
    /// One row, scaled in height alone, in 256ths of a grey level.
    sums: Vec<u16>,
    /// The same as floats, and one more: each pixel is read as four.
    wide: Vec<f32>,
    pixels: Vec<WidePixel>,
}

impl Resizer {
    /// A scaler without weights or scratch memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for images with sides up to `from` that are scaled to sides up to `to` (width, height):
    /// within them, nothing is allocated later.
    pub fn reserve(&mut self, from: [u32; 2], to: [u32; 2]) {
        self.columns.reserve(from[0], to[0]);
        self.rows.reserve(from[1], to[1]);
        let values = from[0] as usize * CHANNELS;
        self.sums.reserve(values.saturating_sub(self.sums.len()));
        self.wide.reserve((values + 1).saturating_sub(self.wide.len()));
        self.pixels.reserve((to[0] as usize).saturating_sub(self.pixels.len()));
    }

    /// Scales `src` to the size that `dst` has; an image of that size is copied.
    ///
    /// # Errors
    /// When a side is 0.
    pub fn resize(&mut self, src: RgbView<'_>, dst: &mut RgbImage) -> Result<(), FrameError> {
        let to = [dst.width(), dst.height()];
        let row = to[0] as usize * CHANNELS;
        let data = dst.data_mut();
        self.rows(src, to, |y, pixels| {
            for (out, pixel) in data[y * row..][..row].chunks_exact_mut(CHANNELS).zip(pixels) {
                for (out, value) in out.iter_mut().zip(pixel) {
                    // `as` keeps within 0..=255.
                    *out = (value + 0.5) as u8;
                }
            }
        })
    }

    /// Scales `src` to `to` (width, height) and hands out the rows, the top one, number 0, first. Where
    /// nothing is scaled, values are the source's own.
    ///
    /// # Errors
    /// When a side is 0.
    pub fn rows(
        &mut self,
        src: RgbView<'_>,
        to: [u32; 2],
        mut each: impl FnMut(usize, &[WidePixel]),
    ) -> Result<(), FrameError> {
        let from = [src.width(), src.height()];
        if from.contains(&0) || to.contains(&0) {
            return Err(FrameError::Resize { from, to });
        }
        self.columns.fit(from[0], to[0]);
        self.rows.fit(from[1], to[1]);
        let values = from[0] as usize * CHANNELS;
        self.sums.resize(values, 0);
        self.wide.resize(values + 1, 0.0);
        self.pixels.resize(to[0] as usize, WidePixel::default());
        for (y, (first, weights)) in self.rows.spans().enumerate() {
            add_rows(src, first, weights, &mut self.sums);
            for (wide, &sum) in self.wide.iter_mut().zip(&self.sums) {
                *wide = f32::from(sum);
            }
            add_columns(&self.wide, &self.columns, &mut self.pixels);
            each(y, &self.pixels);
        }
        Ok(())
    }
}

/// Adds up the rows from `first` on, each times its weight, into 256ths of a grey level.
fn add_rows(src: RgbView<'_>, first: usize, weights: &[f32], sums: &mut [u16]) {
    let row = |index: usize| src.row((first + index) as u32);
    if weights.len() == 1 {
        for (sum, &value) in sums.iter_mut().zip(row(0)) {
            *sum = u16::from(value) << 8;
        }
        return;
    }
    // Two weights or more: each is below 1, and fits into 16 bits.
    let weight = |index: usize| (weights[index] * 65_536.0) as u16;
    let fine = (0..weights.len()).any(|index| weight(index) & 0xFF != 0);
    // A product that is cut off loses half a unit on average, which is added here. Where none is cut off, the most is
    // 255 << 8: no overflow.
    sums.fill(if fine { (weights.len() / 2).min(255) as u16 } else { 0 });
    let mut index = 0;
    while index + 4 <= weights.len() {
        let four = [index, index + 1, index + 2, index + 3];
        let (rows, weights) = (four.map(row), four.map(weight));
        if fine {
            add_four::<true>(sums, rows, weights)
        } else {
            add_four::<false>(sums, rows, weights)
        }
        index += 4;
    }
    for index in index..weights.len() {
        let weight = weight(index);
        for (sum, &value) in sums.iter_mut().zip(row(index)) {
            *sum = sum.wrapping_add(product::<true>(value, weight));
        }
    }
}

/// Four rows at once, so that the sums are read and written a quarter as often.
fn add_four<const FINE: bool>(sums: &mut [u16], rows: [&[u8]; 4], weights: [u16; 4]) {
    let [a, b, c, d] = rows.map(|row| &row[..sums.len()]);
    let [wa, wb, wc, wd] = weights;
    for (i, sum) in sums.iter_mut().enumerate() {
        let left = product::<FINE>(a[i], wa).wrapping_add(product::<FINE>(b[i], wb));
        let right = product::<FINE>(c[i], wc).wrapping_add(product::<FINE>(d[i], wd));
        *sum = sum.wrapping_add(left).wrapping_add(right);
    }
}

/// `value * weight / 256`, cut off. In halves, since the low 16 bits of a product are one instruction for many
/// lanes, and the high ones only where the compiler sees it. A weight of whole 256ths has no lower half:
/// those of scales 1 / 2 and 1 / 4 are such.
#[inline]
fn product<const FINE: bool>(value: u8, weight: u16) -> u16 {
    let value = u16::from(value);
    let high = value.wrapping_mul(weight >> 8);
    if FINE { high.wrapping_add(value.wrapping_mul(weight & 0xFF) >> 8) } else { high }
}

/// Scales one row of 256ths, R, G, B interleaved and one value more, in width.
fn add_columns(wide: &[f32], columns: &Axis, pixels: &mut [WidePixel]) {
    for (pixel, (first, weights)) in pixels.iter_mut().zip(columns.spans()) {
        let mut rest = &wide[first * CHANNELS..];
        let mut sum = WidePixel::default();
        for weight in weights {
            // There always is one: the row is a value longer than its pixels.
            let Some(value) = rest.first_chunk::<4>() else { break };
            for lane in 0..4 {
                sum[lane] += weight * value[lane];
            }
            rest = &rest[CHANNELS..];
        }
        *pixel = sum.map(|sum| sum * (1.0 / 256.0));
    }
}

#[cfg(test)]
mod tests;
