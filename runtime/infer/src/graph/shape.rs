//! How an ONNX tensor is seen in a channel-blocked map.

use arcdoor_kernels::{Order, Taps};
use serde::{Deserialize, Serialize};

use super::refusal::Why;

/// Channels, rows and columns of one image of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Shape {
    /// Values of one image; bounded where the shape was made.
    pub(crate) const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// From `[N, C, H, W]`; N is left out.
    pub(crate) fn of_image(dims: &[usize]) -> Result<Self, Why> {
        let &[_, channels, height, width] = dims else { return Err(Why::Dims) };
        let shape = Self { channels, height, width };
        shape.checked_len().map(|_| shape).ok_or(Why::TooLarge)
    }

    /// The shape of the result of a convolution or a pool over a map of this shape; the result has `channels`
    /// channels.
    pub(crate) fn under(self, taps: &Taps, channels: usize) -> Result<Self, Why> {
        // Refuses padding as wide as the kernel: some windows would have no pixel of the map.
        if taps.pads.iter().zip(taps.kernel.iter().cycle()).any(|(&pad, &side)| pad >= side) {
            return Err(Why::Attribute("pads"));
        }
        let [height, width] = taps.output_size(self.height, self.width)?;
        Self::of_image(&[1, channels, height, width])
    }

    /// Twice as high and wide.
    pub(crate) fn doubled(self) -> Result<Self, Why> {
        Self::of_image(&[1, self.channels, self.height * 2, self.width * 2])
    }

    fn checked_len(self) -> Option<usize> {
        let len = self.channels.checked_mul(self.height)?.checked_mul(self.width)?;
        (1..=arcdoor_kernels::MAX_LEN).contains(&len).then_some(len)
    }
}

/// The kernels know nothing of files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Order")]
enum StoredOrder {
    Planar,
    Interleaved,
}

/// A tensor as a view of a map. Reshaping and transposing make new views and move nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    /// The number of the value whose map it shows.
    pub(crate) value: usize,
    /// The order of the tensor's values: planar for NCHW, which is ONNX's own order, interleaved for NHWC.
    #[serde(with = "StoredOrder")]
    pub(crate) order: Order,
    /// The tensor's shape, the batch included.
    pub(crate) dims: Vec<usize>,
}

impl View {
    /// Most axes of a tensor.
    pub(crate) const MAX_RANK: usize = 8;

    /// Whether it shows a batch of maps of this shape.
    pub(crate) fn fits(&self, batch: usize, shape: Shape) -> bool {
        let values = self.dims.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        self.dims.len() <= Self::MAX_RANK && values == Some(batch * shape.len())
    }
}
