//! A part of a frame, scaled into the top-left corner of a network's input; the rest stays black.

use crate::detect::Region;
use crate::error::VisionError;
use crate::preprocess::Channels;
use arcdoor_core::Point;
use arcdoor_frame::{Resizer, RgbView};

/// Where a region went: network pixels to frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    origin: Point,
    per_net_px: Point,
}

impl Placement {
    pub(crate) fn new(region: &Region, scaled: [u32; 2]) -> Self {
        Self {
            origin: Point::new(region.x as f32, region.y as f32),
            per_net_px: Point::new(region.w as f32 / scaled[0] as f32, region.h as f32 / scaled[1] as f32),
        }
    }

    pub(crate) fn point(&self, p: Point) -> Point {
        Point::new(self.origin.x + p.x * self.per_net_px.x, self.origin.y + p.y * self.per_net_px.y)
    }

    pub(crate) fn size(&self, w: f32, h: f32) -> [f32; 2] {
        [w * self.per_net_px.x, h * self.per_net_px.y]
    }
}

/// Scales and letterboxes; keeps its buffers.
pub(crate) struct Letterbox {
    resizer: Resizer,
}

impl Letterbox {
    pub(crate) fn new() -> Self {
        Self { resizer: Resizer::new() }
    }

    /// Makes room for regions with sides up to `from` in inputs with sides up to `net`.
    pub(crate) fn reserve(&mut self, from: [u32; 2], net: [usize; 2]) {
        self.resizer.reserve(from, net.map(|side| side as u32));
    }

    /// Fills `input` (the planes of `channels`, `net[0]` x `net[1]` each) with the region at `size` pixels, which must
    /// fit into `net`. One pass: no scaled image is written in between.
    pub(crate) fn fill(
        &mut self,
        frame: RgbView<'_>,
        region: &Region,
        size: [u32; 2],
        net: [usize; 2],
        channels: &Channels,
        input: &mut [f32],
    ) -> Result<Placement, VisionError> {
        // `Region` lies within its frame, so this is never `None`.
        let part = frame.crop(region.x, region.y, region.w, region.h).ok_or(VisionError::Region)?;
        let (width, plane) = (net[0], net[0] * net[1]);
        for (index, values) in input.chunks_exact_mut(plane).enumerate().take(channels.planes()) {
            let black = channels.value(index, [0.0; 3]);
            for row in values.chunks_exact_mut(width).take(size[1] as usize) {
                row[size[0] as usize..].fill(black);
            }
            values[size[1] as usize * width..].fill(black);
        }
        self.resizer.rows(part, size, |y, pixels| {
            for index in 0..channels.planes() {
                let row = &mut input[index * plane + y * width..][..pixels.len()];
                channels.fill(index, pixels, row);
            }
        })?;
        Ok(Placement::new(region, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_models::ChannelOrder;

    #[test]
    fn the_region_lands_top_left_in_channel_order_and_the_rest_is_black() {
        let data: Vec<u8> = (0..4 * 4 * 3).collect();
        let frame = RgbView::new(&data, 4, 4, 12).unwrap();
        let region = Region { x: 1, y: 2, w: 2, h: 1 };
        let channels = Channels::uniform(ChannelOrder::Bgr, 1.0, 2.0);
        let mut input = [9.0; 3 * 3 * 2];
        let placed = Letterbox::new().fill(frame, &region, [2, 1], [3, 2], &channels, &mut input).unwrap();
        // Pixel (1, 2) is 27, 28, 29.
        assert_eq!(input[..6], [56.0, 62.0, -2.0, -2.0, -2.0, -2.0]);
        assert_eq!(input[12..14], [52.0, 58.0]);
        assert_eq!(placed.point(Point::new(1.0, 0.0)), Point::new(2.0, 2.0));

        // One plane of grey levels: 27.897, then 30.897, the sum of the three weights being 1.
        let grey = Channels::uniform(ChannelOrder::Grey, 1.0, 2.0);
        let mut input = [9.0; 3 * 2];
        Letterbox::new().fill(frame, &region, [2, 1], [3, 2], &grey, &mut input).unwrap();
        let expected = [53.63, 59.63, -2.0, -2.0, -2.0, -2.0];
        assert!(input.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{input:?}");
    }
}
