//! Which sums an `EinSum` of tract's is made of.

use tract_onnx::tract_core::ops::einsum::EinSum;

/// A product of maps with constant weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) over: Over,
    /// Whether the weights are `[K, M]` instead of `[M, K]`, of K summands and M outputs.
    pub(crate) by_input: bool,
    /// M.
    pub(crate) outputs: usize,
}

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The channels of each pixel by itself.
    Channels,
    /// All of an image.
    Image,
}

/// Where an axis lies in the maps, in the weights and in what is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    map: Option<usize>,
    weights: Option<usize>,
    made: Option<usize>,
}

impl Product {
    /// Reads the axes of `op`, whose input `at` are maps of so many axes and the other one weights of this shape;
    /// `None` for any other product.
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
        // Batch, then what is summed over, in the order in which the map and the weights hold it.
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
