//! Damage that mixes pixels with those around them.

use arcdoor_frame::RgbImage;

use super::place::map;

/// Side of a block of the cosine transform, as in JPEG.
const BLOCK: usize = 8;

/// A Gaussian blur; beyond the edge, the edge's pixels.
pub(super) fn blur(crop: &mut RgbImage, sigma: f32) {
    let reach = (3.0 * sigma).ceil() as i32;
    let taps: Vec<(f32, f32)> =
        (-reach..=reach).map(|at| (at as f32, (-(at * at) as f32 / (2.0 * sigma * sigma)).exp())).collect();
    average(crop, &taps, [1.0, 0.0]);
    average(crop, &taps, [0.0, 1.0]);
}

/// The mean along a straight way of `px` pixels.
pub(super) fn motion(crop: &mut RgbImage, px: f32, degrees: f32) {
    let count = px.round().max(1.0) as i32;
    let taps: Vec<(f32, f32)> = (0..count).map(|at| (at as f32 - (count - 1) as f32 / 2.0, 1.0)).collect();
    let (sin, cos) = degrees.to_radians().sin_cos();
    average(crop, &taps, [cos, sin]);
}

/// The weighted mean of the pixels at each tap (distance, weight) along `direction`.
fn average(crop: &mut RgbImage, taps: &[(f32, f32)], direction: [f32; 2]) {
    let source = crop.clone();
    let (mut sums, mut shifted) = (vec![0.0_f32; crop.data_mut().len()], source.clone());
    let whole: f32 = taps.iter().map(|tap| tap.1).sum();
    for (distance, weight) in taps {
        shifted.data_mut().copy_from_slice(source.view().data());
        map(&mut shifted, |x, y| [x + distance * direction[0], y + distance * direction[1]]);
        sums.iter_mut()
            .zip(shifted.view().data())
            .for_each(|(sum, value)| *sum += weight * f32::from(*value));
    }
    for (value, sum) in crop.data_mut().iter_mut().zip(sums) {
        *value = (sum / whole).round() as u8;
    }
}

/// As if the crop had been `px` pixels wide: means of areas, then between their middles, or as blocks.
pub(super) fn shrink(crop: &mut RgbImage, px: f32, blocks: bool) {
    let side = (px.round().max(1.0) as usize).min(crop.width() as usize);
    let (width, height) = (crop.width() as usize, crop.height() as usize);
    let mut small = RgbImage::with_size(side as u32, side as u32);
    let view = crop.view();
    for (index, pixel) in small.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (index % side, index / side);
        let columns = x * width / side..((x + 1) * width).div_ceil(side);
        let rows = y * height / side..((y + 1) * height).div_ceil(side);
        let count = (columns.len() * rows.len()) as f32;
        for (channel, value) in pixel.iter_mut().enumerate() {
            let cells = rows.clone().flat_map(|y| columns.clone().map(move |x| (x as u32, y as u32)));
            let sum: f32 = cells.map(|(x, y)| f32::from(view.pixel(x, y)[channel])).sum();
            *value = (sum / count).round() as u8;
        }
    }
    let (wide, small) = (side as f32 / width as f32, small.view());
    let last = (side - 1) as f32;
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        let at = |position: usize| ((position as f32 + 0.5) * wide - 0.5).clamp(0.0, last);
        let [x, y] = [at(index % width), at(index / width)];
        if blocks {
            pixel.copy_from_slice(&small.pixel(x.round() as u32, y.round() as u32));
            continue;
        }
        let (left, top) = (x as u32, y as u32);
        let next = |at: u32| (at + 1).min(side as u32 - 1);
        let corners = [(left, top), (next(left), top), (left, next(top)), (next(left), next(top))];
        let corners = corners.map(|(x, y)| small.pixel(x, y));
        let (fx, fy) = (x - left as f32, y - top as f32);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let [a, b, c, d] = corners.map(|corner| f32::from(corner[channel]));
            *value = ((a + (b - a) * fx) * (1.0 - fy) + (c + (d - c) * fx) * fy).round() as u8;
        }
    }
}

/// Rounds the coefficients of every whole block's cosine transform to steps, those of fine detail to coarser ones.
pub(super) fn code(crop: &mut RgbImage, step: f32) {
    let (width, height) = (crop.width() as usize, crop.height() as usize);
    let waves: [f32; BLOCK * BLOCK] = std::array::from_fn(|i| {
        let (at, wave) = (i / BLOCK, i % BLOCK);
        let scale = if wave == 0 { (1.0 / BLOCK as f32).sqrt() } else { (2.0 / BLOCK as f32).sqrt() };
        scale * ((2 * at + 1) as f32 * wave as f32 * std::f32::consts::PI / (2 * BLOCK) as f32).cos()
    });
    let basis = |at: usize, wave: usize| waves[at * BLOCK + wave];
    for (top, left) in blocks(height, width) {
        for channel in 0..3 {
            let place = |x: usize, y: usize| ((top + y) * width + left + x) * 3 + channel;
            let levels: [f32; BLOCK * BLOCK] =
                std::array::from_fn(|i| f32::from(crop.view().data()[place(i % BLOCK, i / BLOCK)]) - 128.0);
            let coefficients: [f32; BLOCK * BLOCK] = std::array::from_fn(|i| {
                let (u, v) = (i % BLOCK, i / BLOCK);
                let cells = levels.iter().enumerate();
                let sum: f32 =
                    cells.map(|(j, level)| level * basis(j % BLOCK, u) * basis(j / BLOCK, v)).sum();
                let step = step * (1 + u + v) as f32;
                (sum / step).round() * step
            });
            for i in 0..BLOCK * BLOCK {
                let values = coefficients.iter().enumerate();
                let level: f32 = values
                    .map(|(j, value)| value * basis(i % BLOCK, j % BLOCK) * basis(i / BLOCK, j / BLOCK))
                    .sum();
                crop.data_mut()[place(i % BLOCK, i / BLOCK)] = (level + 128.0).round() as u8;
            }
        }
    }
}

/// The top left corners of the whole blocks.
fn blocks(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    let columns = move |top| (0..width / BLOCK).map(move |column| (top, column * BLOCK));
    (0..height / BLOCK).flat_map(move |row| columns(row * BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge() -> RgbImage {
        let mut image = RgbImage::with_size(32, 32);
        image.data_mut().chunks_exact_mut(3).enumerate().for_each(|(i, pixel)| {
            pixel.fill(if i % 32 < 16 { 0 } else { 200 });
        });
        image
    }

    #[test]
    fn a_blur_keeps_the_mean_and_softens_the_edge() {
        for damage in [|crop: &mut RgbImage| blur(crop, 3.0), |crop: &mut RgbImage| motion(crop, 9.0, 0.0)] {
            let mut image = edge();
            damage(&mut image);
            let row: Vec<u8> = (0..32).map(|x| image.view().pixel(x, 16)[0]).collect();
            assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{row:?}");
            assert!((90..=110).contains(&(u16::from(row[15]).midpoint(u16::from(row[16])))), "{row:?}");
            assert_eq!((row[0], row[31]), (0, 200));
        }
    }

    #[test]
    fn motion_along_an_edge_leaves_it() {
        let mut image = edge();
        motion(&mut image, 9.0, 90.0);
        assert_eq!((image.view().pixel(15, 16)[0], image.view().pixel(16, 16)[0]), (0, 200));
    }

    #[test]
    fn fine_coding_changes_nothing_and_coarse_coding_leaves_flat_blocks() {
        let mut image = edge();
        code(&mut image, 0.01);
        assert_eq!(image, edge());
        code(&mut image, 1e6);
        assert_eq!(image.view().pixel(3, 3), [128; 3]);
    }

    #[test]
    fn a_small_face_keeps_its_mean_and_a_mosaic_has_blocks() {
        let mut image = edge();
        shrink(&mut image, 4.0, true);
        assert_eq!([0, 7, 8, 16, 24].map(|x| image.view().pixel(x, 5)[0]), [0, 0, 0, 200, 200]);
        let mut image = edge();
        shrink(&mut image, 32.0, false);
        assert_eq!(image, edge());
    }
}
