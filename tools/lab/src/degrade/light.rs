//! Damage to the levels of pixels.

use arcdoor_calib::Random;
use arcdoor_frame::RgbImage;

/// Every level by itself; what leaves 0..=255 is cut.
pub(super) fn levels(crop: &mut RgbImage, to: impl Fn(f32) -> f32) {
    for value in crop.data_mut() {
        *value = to(f32::from(*value)).round() as u8;
    }
}

/// Normal noise, its standard deviation in levels.
pub(super) fn noise(crop: &mut RgbImage, deviation: f32, random: &mut Random) {
    for value in crop.data_mut() {
        // The sum of 12 uniform numbers has a variance of 4: near enough to normal.
        let sum: f32 = (0..12).map(|_| random.signed()).sum();
        *value = (f32::from(*value) + deviation * sum / 2.0).round() as u8;
    }
}

/// Light that rises from left to right, from `least` to 1.4.
pub(super) fn side(crop: &mut RgbImage, least: f32) {
    let width = crop.width();
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        let along = (index as u32 % width) as f32 / (width - 1) as f32;
        let light = least + (1.4 - least) * along;
        pixel.iter_mut().for_each(|value| *value = (f32::from(*value) * light).round() as u8);
    }
}

/// Each colour by its share.
pub(super) fn cast(crop: &mut RgbImage, shares: [f32; 3]) {
    for pixel in crop.data_mut().chunks_exact_mut(3) {
        for (value, share) in pixel.iter_mut().zip(shares) {
            *value = (f32::from(*value) * share).round() as u8;
        }
    }
}

/// Of four rows, one black, one at half and two as they are.
pub(super) fn lines(crop: &mut RgbImage) {
    let bytes = crop.width() as usize * 3;
    for (y, row) in crop.data_mut().chunks_exact_mut(bytes).enumerate() {
        let share = [0.0, 0.5, 1.0, 1.0][y % 4];
        row.iter_mut().for_each(|value| *value = (f32::from(*value) * share) as u8);
    }
}

/// White where the grey is above a screen of dots, else black.
pub(super) fn halftone(crop: &mut RgbImage) {
    let width = crop.width();
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((index as u32 % width) as f32, (index as u32 / width) as f32);
        let screen = ((1.2 * x).sin() * (1.2 * y).sin() + 1.0) * 127.0;
        let grey = 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
        pixel.fill(if grey > screen { 255 } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        let mut crop = RgbImage::with_size(112, 112);
        levels(&mut crop, |_| 128.0);
        noise(&mut crop, 20.0, &mut Random(1));
        let offs: Vec<f32> = crop.data_mut().iter().map(|value| f32::from(*value) - 128.0).collect();
        let mean = offs.iter().sum::<f32>() / offs.len() as f32;
        let deviation = (offs.iter().map(|off| off * off).sum::<f32>() / offs.len() as f32).sqrt();
        assert!(mean.abs() < 0.5 && (deviation - 20.0).abs() < 0.5, "{mean} {deviation}");
    }
}
