//! How an ONNX tensor is seen in a channel-blocked map.

use super::refusal::Why;
use crate::onnx::reshaped;

/// Channels, rows and columns of one image of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Shape {
    /// Values of one image; bounded where the shape was made.
    pub(super) const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Of `[N, C, H, W]`.
    pub(super) fn of_image(dims: &[usize]) -> Result<Self, Why> {
        let &[_, channels, height, width] = dims else { return Err(Why::Dims) };
        let shape = Self { channels, height, width };
        shape.checked_len().map(|_| shape).ok_or(Why::TooLarge)
    }

    fn checked_len(self) -> Option<usize> {
        let len = self.channels.checked_mul(self.height)?.checked_mul(self.width)?;
        (1..=arcdoor_kernels::MAX_LEN).contains(&len).then_some(len)
    }
}

/// The order in which the tensor's values name those of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Plane by plane: ONNX's own, NCHW.
    Planes,
    /// Pixel by pixel: NHWC.
    Pixels,
}

/// A tensor as a view of a map. Reshaping and transposing make new views and move nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// Which map.
    pub(super) value: usize,
    pub(super) order: Order,
    /// With the batch.
    pub(super) dims: Vec<usize>,
}

impl View {
    /// As an operator made it.
    pub(super) fn image(value: usize, batch: usize, shape: Shape) -> Self {
        Self { value, order: Order::Planes, dims: vec![batch, shape.channels, shape.height, shape.width] }
    }

    /// Whether axis 1 is the map's channels and the rest its rows and columns.
    pub(super) fn by_channel(&self, shape: Shape) -> bool {
        let image = self.order == Order::Planes && self.dims.get(1) == Some(&shape.channels);
        image && (self.dims.len() == 4 || (self.dims.len() == 2 && shape.height * shape.width == 1))
    }

    /// Flattened into `[N, K]` at `axis`.
    pub(super) fn flatten(&self, axis: i64) -> Result<Self, Why> {
        let rank = self.dims.len();
        // The end is a place to split at, too.
        let axis = if usize::try_from(axis) == Ok(rank) { Some(rank) } else { place(axis, rank) };
        let axis = axis.ok_or(Why::Attribute("axis"))?;
        let (outer, inner) = self.dims.split_at(axis);
        Ok(Self { dims: vec![outer.iter().product(), inner.iter().product()], ..self.clone() })
    }

    /// Of another shape, as ONNX reads it.
    pub(super) fn reshape(&self, shape: &[i64], allow_zero: bool) -> Result<Self, Why> {
        let dims = reshaped(&self.dims, shape, allow_zero).filter(|dims| dims.len() <= 8).ok_or(Why::Dims)?;
        Ok(Self { dims, ..self.clone() })
    }

    /// Only between planes and pixels, or where a transposition moves nothing.
    pub(super) fn transpose(&self, perm: &[i64], shape: Shape) -> Result<Self, Why> {
        let order = match (perm, self.dims.len()) {
            ([0, 2, 3, 1], 4) if self.by_channel(shape) => Order::Pixels,
            ([0, 3, 1, 2], 4) if self.is_pixels(shape) => Order::Planes,
            (perm, rank) if perm.iter().copied().eq(0..rank as i64) => return Ok(self.clone()),
            _ => return Err(Why::Attribute("perm")),
        };
        let dims = perm.iter().filter_map(|&from| self.dims.get(usize::try_from(from).ok()?).copied());
        let dims: Vec<usize> = dims.collect();
        // One channel, or one pixel: both orders are the same.
        let same = shape.channels == 1 || shape.height * shape.width == 1;
        Ok(Self { value: self.value, order: if same { Order::Planes } else { order }, dims })
    }

    fn is_pixels(&self, shape: Shape) -> bool {
        self.order == Order::Pixels
            && self.dims.get(1..) == Some(&[shape.height, shape.width, shape.channels])
    }
}

/// An axis counted from the front; negative ones count from the back.
pub(super) fn place(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    usize::try_from(axis).ok().filter(|_| axis < rank)
}
