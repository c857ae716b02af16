//! Which of tract's `EinSum`s (sums of products over named axes) are 1x1 convolutions or fully connected layers.

use tract_onnx::tract_core::ops::einsum::EinSum;

/// An `EinSum` of a map with constant weights that the plan can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) over: Over,
    /// Whether the weights lie as `[K, M]` instead of `[M, K]`, for M outputs that are sums of K products each.
    pub(crate) by_input: bool,
    /// The number of outputs, M.
    pub(crate) outputs: usize,
}

/// What each output is a sum over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The channels of one pixel: a 1x1 convolution.
    Channels,
    /// All values of one image: a fully connected layer.
    Image,
}

/// The position of one axis of the sum in the map, in the weights and in the result; `None` where it is not among
/// theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    map: Option<usize>,
    weights: Option<usize>,
    made: Option<usize>,
}

impl Product {
    /// Reads the axes of `op`. Its input number `at` (0 or 1) is the map, a tensor of `rank` axes, and the other one
    /// the weights, of the shape `weights`. `None` for a product that the plan does not run.
    pub(crate) fn read(op: &EinSum, at: usize, rank: usize, weights: &[usize]) -> Option<Self> {
        if op.q_params.is_some() || op.axes.output_count() != 1 || op.axes.input_count() != 2 {
            return None;
        }
        let single = |places: &[usize]| match *places {
            [] => Some(None),
            [place] => Some(Some(place)),
            _ => None,
        };
        let mut places = Vec::new();
        for axis in op.axes.iter_all_axes() {
            let (map, weights) = (single(axis.inputs.get(at)?)?, single(axis.inputs.get(1 - at)?)?);
            places.push(Place { map, weights, made: single(axis.outputs.first()?)? });
        }
        places.sort_unstable();
        let contracted = places.iter().filter(|place| place.made.is_none());
        let contracted: Vec<[Option<usize>; 2]> =
            contracted.map(|place| [place.map, place.weights]).collect();
        let made = places.iter().find(|place| place.map.is_none())?;
        let by_input = match made.weights? {
            0 => false,
            last if last + 1 == weights.len() => true,
            _ => return None,
        };
        let first = usize::from(!by_input);
        let outputs = *weights.get(made.weights?)?;
        // The batch must come first in map and result; the axes that are summed over must follow it in the map, in the
        // order that they have in the weights.
        let batch = Place { map: Some(0), weights: None, made: Some(0) };
        let alone = places.iter().filter(|place| place.map.is_none()).count() == 1;
        if !places.contains(&batch) || !alone || made.made != Some(1) || weights.len() != contracted.len() + 1
        {
            return None;
        }
        let in_order = (0..).zip(&contracted).all(|(i, place)| *place == [Some(1 + i), Some(first + i)]);
        let kept = |i: usize| places.contains(&Place { map: Some(i), weights: None, made: Some(i) });
        let over = match (contracted.len(), rank) {
            (1, 4) if in_order && kept(2) && kept(3) => Over::Channels,
            (summed, rank) if in_order && summed + 1 == rank => Over::Image,
            _ => return None,
        };
        Some(Self { over, by_input, outputs })
    }
}
