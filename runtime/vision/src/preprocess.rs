//! Pixels to network input: channel order, mean and scale of a pack's manifest.

use arcdoor_frame::WidePixel;
use arcdoor_models::{ChannelOrder, Preprocess};

/// How an RGB pixel becomes three planes of a network's input: `(value - mean) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channels {
    /// For each plane, which of R (0), G (1), B (2) feeds it.
    pub source: [usize; 3],
    /// Subtracted from the value 0..=255, per plane.
    pub mean: [f32; 3],
    /// Multiplied afterwards, per plane.
    pub scale: [f32; 3],
}

impl Channels {
    /// From a manifest's entry.
    #[must_use]
    pub fn new(preprocess: &Preprocess) -> Self {
        let source = match preprocess.channel_order {
            ChannelOrder::Rgb => [0, 1, 2],
            ChannelOrder::Bgr => [2, 1, 0],
        };
        Self { source, mean: preprocess.mean, scale: preprocess.scale }
    }

    /// One value of plane `plane`.
    #[inline]
    pub(crate) fn value(&self, plane: usize, rgb: [f32; 3]) -> f32 {
        (rgb[self.source[plane]] - self.mean[plane]) * self.scale[plane]
    }

    /// A run of values of plane `plane`, one a pixel.
    #[inline]
    pub(crate) fn fill(&self, plane: usize, pixels: &[WidePixel], values: &mut [f32]) {
        // A source below 3, known as such, needs no check at each pixel.
        let source = self.source[plane].min(2);
        let (mean, scale) = (self.mean[plane], self.scale[plane]);
        for (value, pixel) in values.iter_mut().zip(pixels) {
            *value = (pixel[source] - mean) * scale;
        }
    }
}
