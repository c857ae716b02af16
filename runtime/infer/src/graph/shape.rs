//! How an ONNX tensor is seen in a channel-blocked map.

use arcdoor_kernels::Taps;
use serde::{Deserialize, Serialize};
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::array::MultiBroadcastTo;

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

    /// Of `[N, C, H, W]`.
    pub(crate) fn of_image(dims: &[usize]) -> Result<Self, Why> {
        let &[_, channels, height, width] = dims else { return Err(Why::Dims) };
        let shape = Self { channels, height, width };
        shape.checked_len().map(|_| shape).ok_or(Why::TooLarge)
    }

    /// What windows over it make, of so many channels.
    pub(crate) fn under(self, taps: &Taps, channels: usize) -> Result<Self, Why> {
        // A window within the padding alone has no pixel of the map.
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

/// The order in which the tensor's values name those of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Plane by plane: ONNX's own, NCHW.
    Planes,
    /// Pixel by pixel: NHWC.
    Pixels,
}

/// Most axes of a view.
const MAX_RANK: usize = 8;

/// A tensor as a view of a map. Reshaping and transposing make new views and move nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    /// Which map.
    pub(crate) value: usize,
    pub(crate) order: Order,
    /// With the batch.
    pub(crate) dims: Vec<usize>,
}

impl View {
    /// As an operator made it.
    pub(crate) fn image(value: usize, batch: usize, shape: Shape) -> Self {
        Self { value, order: Order::Planes, dims: vec![batch, shape.channels, shape.height, shape.width] }
    }

    /// Whether axis 1, or the only one, is the map's channels and the rest its rows and columns.
    pub(crate) fn by_channel(&self, shape: Shape) -> bool {
        let one_pixel = shape.height * shape.width == 1;
        let channels = match self.dims.len() {
            1 if one_pixel => self.dims.first(),
            2 if one_pixel => self.dims.get(1),
            4 => self.dims.get(1),
            _ => None,
        };
        self.order == Order::Planes && channels == Some(&shape.channels)
    }

    /// Whether it shows a batch of maps of this shape.
    pub(crate) fn fits(&self, batch: usize, shape: Shape) -> bool {
        let values = self.dims.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        self.dims.len() <= MAX_RANK && values == Some(batch * shape.len())
    }

    /// Of another shape.
    pub(crate) fn moved(&self, op: &AxisOp, shape: Shape) -> Result<Self, Why> {
        let mut dims = self.dims.clone();
        match op {
            &AxisOp::Add(axis) if axis <= dims.len() => dims.insert(axis, 1),
            &AxisOp::Rm(axis) if dims.get(axis) == Some(&1) => drop(dims.remove(axis)),
            &AxisOp::Move(from, to) if from.max(to) < dims.len() => return self.transpose(from, to, shape),
            AxisOp::Reshape(at, from, to) => {
                let sides = |sides: &[tract_onnx::prelude::TDim]| -> Option<Vec<usize>> {
                    sides.iter().map(|side| usize::try_from(side.as_i64()?).ok()).collect()
                };
                let (from, to) = sides(from).zip(sides(to)).ok_or(Why::Dims)?;
                let place = *at..at.saturating_add(from.len());
                if dims.get(place.clone()) != Some(&*from) || dims.len() + to.len() > MAX_RANK + from.len() {
                    return Err(Why::Dims);
                }
                drop(dims.splice(place, to));
            }
            _ => return Err(Why::Dims),
        }
        Ok(Self { value: self.value, order: self.order, dims })
    }

    /// Repeated along axes of one value, each of them once: what decluttering leaves of a bias of one channel.
    pub(crate) fn repeated(&self, op: &MultiBroadcastTo) -> Result<Self, Why> {
        let dims = op.shape.as_concrete().ok_or(Why::Dims)?;
        if dims.iter().product::<usize>() != self.dims.iter().product::<usize>() || dims.len() > MAX_RANK {
            return Err(Why::Operator);
        }
        Ok(Self { value: self.value, order: self.order, dims: dims.to_vec() })
    }

    /// Only between planes and pixels, or where a transposition moves nothing.
    fn transpose(&self, from: usize, to: usize, shape: Shape) -> Result<Self, Why> {
        let mut dims = self.dims.clone();
        let side = dims.remove(from);
        dims.insert(to, side);
        let passed = if from < to { &self.dims[from + 1..=to] } else { &self.dims[to..from] };
        let still = side == 1 || passed.iter().all(|&side| side == 1);
        let order = match (from, to) {
            _ if still => self.order,
            (1, 3) if self.dims.len() == 4 && self.by_channel(shape) => Order::Pixels,
            (3, 1) if self.dims.len() == 4 && self.is_pixels(shape) => Order::Planes,
            _ => return Err(Why::Attribute("perm")),
        };
        // One channel, or one pixel: both orders are the same.
        let same = shape.channels == 1 || shape.height * shape.width == 1;
        Ok(Self { value: self.value, order: if same { Order::Planes } else { order }, dims })
    }

    fn is_pixels(&self, shape: Shape) -> bool {
        self.order == Order::Pixels
            && self.dims.get(1..) == Some(&[shape.height, shape.width, shape.channels])
    }
}
