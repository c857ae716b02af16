//! Pixels to a network's input: the planes, mean and scale of a pack's manifest.

use arcdoor_frame::WidePixel;
use arcdoor_models::{ChannelOrder, Preprocess};

/// How RGB pixels become the planes of a network's input: `(value - mean) * scale`, for values of 0..=255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channels {
    order: ChannelOrder,
    /// Subtracted from values of 0..=255, by plane.
    mean: [f32; 3],
    /// Multiplied after that, by plane.
    scale: [f32; 3],
}

impl Channels {
    /// Three planes, R, G and B, with the pixels' own values.
    pub const RGB: Self = Self { order: ChannelOrder::Rgb, mean: [0.0; 3], scale: [1.0; 3] };

    /// The channels that a manifest's entry asks for. A mean that it lacks is 0, a scale 1; no verified pack's entry lacks
    /// any.
    #[must_use]
    pub fn new(preprocess: &Preprocess) -> Self {
        let mut channels = Self { order: preprocess.channel_order, ..Self::RGB };
        channels.mean.iter_mut().zip(&preprocess.mean).for_each(|(mean, value)| *mean = *value);
        channels.scale.iter_mut().zip(&preprocess.scale).for_each(|(scale, value)| *scale = *value);
        channels
    }

    /// The same mean and scale for all planes.
    #[cfg(test)]
    pub(crate) const fn uniform(order: ChannelOrder, mean: f32, scale: f32) -> Self {
        Self { order, mean: [mean; 3], scale: [scale; 3] }
    }

    /// How many planes the input has, 1 or 3.
    #[must_use]
    pub const fn planes(&self) -> usize {
        self.order.planes()
    }

    /// The value of plane `plane` for one pixel: R, G and B in 0..=255.
    ///
    /// # Panics
    /// When `plane` is not below 3.
    #[must_use]
    pub fn value(&self, plane: usize, rgb: [f32; 3]) -> f32 {
        let value = match self.order {
            ChannelOrder::Rgb => rgb[plane],
            ChannelOrder::Bgr => rgb[2 - plane],
            ChannelOrder::Grey => grey(rgb),
        };
        (value - self.mean[plane]) * self.scale[plane]
    }

    /// Writes the values of plane `plane` for a run of pixels, one a pixel.
    #[inline]
    pub(crate) fn fill(&self, plane: usize, pixels: &[WidePixel], values: &mut [f32]) {
        let (mean, scale) = (self.mean[plane], self.scale[plane]);
        // A place below 3, known as such, needs no check at each pixel.
        let colour = match self.order {
            ChannelOrder::Rgb => plane.min(2),
            ChannelOrder::Bgr => 2 - plane.min(2),
            ChannelOrder::Grey => {
                for (value, &[r, g, b, _]) in values.iter_mut().zip(pixels) {
                    *value = (grey([r, g, b]) - mean) * scale;
                }
                return;
            }
        };
        for (value, pixel) in values.iter_mut().zip(pixels) {
            *value = (pixel[colour] - mean) * scale;
        }
    }
}

/// The grey level of R, G and B by ITU-R BT.601, not rounded.
#[inline]
pub(crate) fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_models::Layout;

    fn channels(channel_order: ChannelOrder) -> Channels {
        let planes = channel_order.planes();
        Channels::new(&Preprocess {
            width: 8,
            height: 8,
            layout: Layout::Nchw,
            channel_order,
            mean: [100.0, 10.0, 1.0][..planes].to_vec(),
            scale: [0.5, 2.0, 4.0][..planes].to_vec(),
            alignment: Default::default(),
        })
    }

    #[test]
    fn each_order_makes_the_planes_that_its_name_says() {
        let pixels = [[200.0, 100.0, 50.0, 9.0], [0.0, 0.0, 255.0, 9.0]];
        for (order, expected) in [
            (ChannelOrder::Rgb, vec![[50.0, -50.0], [180.0, -20.0], [196.0, 1016.0]]),
            (ChannelOrder::Bgr, vec![[-25.0, 77.5], [180.0, -20.0], [796.0, -4.0]]),
            // 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2, and 0.114 * 255 = 29.07.
            (ChannelOrder::Grey, vec![[12.1, -35.465]]),
        ] {
            let channels = channels(order);
            assert_eq!(channels.planes(), expected.len());
            for (plane, expected) in expected.iter().enumerate() {
                let mut filled = [0.0; 2];
                channels.fill(plane, &pixels, &mut filled);
                for (i, [r, g, b, _]) in pixels.into_iter().enumerate() {
                    assert_eq!(channels.value(plane, [r, g, b]), filled[i]);
                    assert!((filled[i] - expected[i]).abs() < 1e-4, "{order:?} {plane}: {filled:?}");
                }
            }
        }
    }
}
