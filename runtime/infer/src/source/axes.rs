//! tract's operators on axes as changes of a view.

use arcdoor_kernels::Order;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::AxisOp;
use tract_onnx::tract_core::ops::array::MultiBroadcastTo;

use crate::graph::{Shape, View, Why};

impl View {
    /// A whole map as the tensor `[N, C, H, W]` that an operator makes.
    pub(crate) fn image(value: usize, batch: usize, shape: Shape) -> Self {
        Self { value, order: Order::Planar, dims: vec![batch, shape.channels, shape.height, shape.width] }
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
        self.order == Order::Planar && channels == Some(&shape.channels)
    }

    /// The view after an operator on axes; `shape` is that of the map.
    pub(crate) fn moved(&self, op: &AxisOp, shape: Shape) -> Result<Self, Why> {
        let mut dims = self.dims.clone();
        match op {
            &AxisOp::Add(axis) if axis <= dims.len() => dims.insert(axis, 1),
            &AxisOp::Rm(axis) if dims.get(axis) == Some(&1) => drop(dims.remove(axis)),
            &AxisOp::Move(from, to) if from.max(to) < dims.len() => return self.transpose(from, to, shape),
            AxisOp::Reshape(at, from, to) => {
                let sides = |sides: &[TDim]| -> Option<Vec<usize>> {
                    sides.iter().map(|side| usize::try_from(side.as_i64()?).ok()).collect()
                };
                let (from, to) = sides(from).zip(sides(to)).ok_or(Why::Dims)?;
                let place = *at..at.saturating_add(from.len());
                if dims.get(place.clone()) != Some(&*from)
                    || dims.len() + to.len() > Self::MAX_RANK + from.len()
                {
                    return Err(Why::Dims);
                }
                drop(dims.splice(place, to));
            }
            _ => return Err(Why::Dims),
        }
        Ok(Self { value: self.value, order: self.order, dims })
    }

    /// The view after a broadcast that repeats nothing and only adds axes of length 1, as tract leaves one before a
    /// bias of one channel.
    pub(crate) fn repeated(&self, op: &MultiBroadcastTo) -> Result<Self, Why> {
        let dims = op.shape.as_concrete().ok_or(Why::Dims)?;
        if dims.iter().product::<usize>() != self.dims.iter().product::<usize>()
            || dims.len() > Self::MAX_RANK
        {
            return Err(Why::Operator);
        }
        Ok(Self { value: self.value, order: self.order, dims: dims.to_vec() })
    }

    /// The view after one axis has moved: between NCHW and NHWC, or where no value changes its place in memory.
    fn transpose(&self, from: usize, to: usize, shape: Shape) -> Result<Self, Why> {
        let mut dims = self.dims.clone();
        let side = dims.remove(from);
        dims.insert(to, side);
        let passed = if from < to { &self.dims[from + 1..=to] } else { &self.dims[to..from] };
        let still = side == 1 || passed.iter().all(|&side| side == 1);
        let order = match (from, to) {
            _ if still => self.order,
            (1, 3) if self.dims.len() == 4 && self.by_channel(shape) => Order::Interleaved,
            (3, 1) if self.dims.len() == 4 && self.is_pixels(shape) => Order::Planar,
            _ => return Err(Why::Attribute("perm")),
        };
        // With one channel, or with one pixel, both orders are the same.
        let same = shape.channels == 1 || shape.height * shape.width == 1;
        Ok(Self { value: self.value, order: if same { Order::Planar } else { order }, dims })
    }

    fn is_pixels(&self, shape: Shape) -> bool {
        self.order == Order::Interleaved
            && self.dims.get(1..) == Some(&[shape.height, shape.width, shape.channels])
    }
}
