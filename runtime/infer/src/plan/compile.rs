//! From a decoded graph to steps over one arena.

use std::collections::BTreeMap;
use std::ops::Range;

use arcdoor_kernels::{Isa, Map, Order as Plain, Unblock};

use super::arena::{Life, place};
use super::explain::{Entry, predicted_us};
use super::floats::Floats;
use super::fuse::{Added, Fused, Kind, fuse, is_stem};
use super::graph::Graph;
use super::merge::{Taken, merge};
use super::refusal::{Unsupported, Why};
use super::shape::{Order, Shape};
use super::step::{Kernel, Source, Step};
use super::{Loading, Output, Plan};
use crate::onnx::Opened;
use crate::tuning::{Layer, Tuning};

/// Longest arena and longest packed weights, in values: 512 MiB each.
const MAX_VALUES: usize = 128 << 20;

/// Compiles what the outputs need.
pub(super) fn compile(
    opened: &Opened<'_>,
    input: [usize; 4],
    outputs: &[&str],
    isa: Isa,
    tuning: &Tuning,
    after: &mut dyn FnMut(Loading),
) -> Result<Plan, Unsupported> {
    let graph = Graph::read(opened, input, outputs)?;
    let mut fused = fuse(&graph);
    let taken = merge(&graph, &mut fused);
    let maps = maps(&graph, &fused)?;
    let (places, arena_len) = places(&graph, &fused, &maps, &taken)?;
    let mut steps = Vec::with_capacity(fused.len());
    let mut entries = Vec::with_capacity(fused.len());
    let mut packed_len = 0_usize;
    for one in &fused {
        let refused = |why| refused(one, why);
        let of = |value: usize| maps.get(&value).copied().zip(places.get(&value).cloned());
        let (map, place) = of(one.output).ok_or_else(|| refused(Why::Order))?;
        let planar = one.kind == Kind::Block || is_stem(&graph, &one.kind, one.input);
        let source = if planar { None } else { of(one.input) };
        let added =
            one.added.map(|added| of(added.value()).ok_or_else(|| refused(Why::Order))).transpose()?;
        let layer = layer_of(&graph, &maps, one);
        let kernel = Kernel::new(
            one,
            graph.input,
            source.as_ref().map(|(map, _)| *map),
            added.as_ref().map(|(map, _)| *map),
            map,
            isa,
            layer.and_then(|layer| tuning.choice(&layer)),
        )
        .map_err(|error| refused(Why::Kernel(error)))?;
        let end = packed_len.checked_add(kernel.packed_len().next_multiple_of(16));
        let end = end.filter(|&end| end <= MAX_VALUES).ok_or_else(|| refused(Why::TooLarge))?;
        let packed = packed_len..packed_len + kernel.packed_len();
        packed_len = end;
        let bytes = 4 * (packed.len() + place.len() + source.as_ref().map_or(0, |(_, place)| place.len()));
        entries.push(Entry {
            operators: one.operators.clone(),
            name: one.name.clone(),
            shape: [map.channels(), map.height(), map.width()],
            macs: kernel.macs(),
            predicted_us: predicted_us(&kernel, &map, one.kind.stride(), bytes),
            layer,
        });
        steps.push(Step {
            kernel,
            packed,
            next: 0..0,
            input: source.map_or(Source::Image, |(_, place)| Source::Map(place)),
            residual: added.map(|(_, place)| place),
            output: place,
        });
    }
    look_ahead(&mut steps);
    let outputs = answers(&graph, &maps, &places, &taken)?;
    let (batch, image) = (graph.batch, graph.input.len());
    after(Loading::Planned);
    let weights = pack(opened, &fused, &steps, packed_len)?;
    after(Loading::Packed);
    let scratch_len = steps.iter().map(|step| step.kernel.scratch_len()).max().unwrap_or(0);
    Ok(Plan { steps, entries, weights, arena_len, scratch_len, outputs, batch, image, isa })
}

/// Tells each step which weights follow its own.
fn look_ahead(steps: &mut [Step]) {
    let mut end = steps.last().map_or(0, |step| step.packed.end);
    for step in steps.iter_mut().rev() {
        step.next = step.packed.end..end;
        if matches!(step.kernel, Kernel::Conv(..)) {
            end = step.packed.end;
        }
    }
}

/// What a tuning may say something of: dense convolutions and fully connected layers.
fn layer_of(graph: &Graph, maps: &Maps, fused: &Fused) -> Option<Layer> {
    let planar = is_stem(graph, &fused.kind, fused.input);
    let input = if planar {
        let Shape { channels, height, width } = graph.input;
        [channels, height, width]
    } else {
        let map = maps.get(&fused.input)?;
        [map.channels(), map.height(), map.width()]
    };
    let outputs = maps.get(&fused.output)?.channels();
    match &fused.kind {
        Kind::Conv { taps, .. } => {
            Some(Layer { planar, input, outputs, kernel: taps.kernel, stride: taps.stride, pads: taps.pads })
        }
        Kind::Dense { .. } => {
            Some(Layer { planar, input, outputs, kernel: [input[1], input[2]], stride: 1, pads: [0; 4] })
        }
        _ => None,
    }
}

fn refused(fused: &Fused, why: Why) -> Unsupported {
    Unsupported { operator: fused.operators.clone(), node: fused.name.clone(), why }
}

type Maps = BTreeMap<usize, Map>;

/// A map for every value that a step makes, with the border that its readers ask for.
fn maps(graph: &Graph, fused: &[Fused]) -> Result<Maps, Unsupported> {
    let mut borders: BTreeMap<usize, usize> = BTreeMap::new();
    for one in fused {
        if let Kind::Conv { taps, .. } = &one.kind {
            let from = graph.shape(one.input);
            let border = taps.border([from.height, from.width], [one.shape.height, one.shape.width]);
            let widest = borders.entry(one.input).or_default();
            *widest = border.max(*widest);
        }
    }
    let mut maps = BTreeMap::new();
    for one in fused {
        let border = borders.get(&one.output).copied().unwrap_or(0);
        let map = Map::new(one.shape.channels, one.shape.height, one.shape.width, border);
        maps.insert(one.output, map.map_err(|error| refused(one, Why::Kernel(error)))?);
    }
    Ok(maps)
}

type Places = BTreeMap<usize, Range<usize>>;

fn places(
    graph: &Graph,
    fused: &[Fused],
    maps: &Maps,
    taken: &BTreeMap<usize, Taken>,
) -> Result<(Places, usize), Unsupported> {
    let mut lives: BTreeMap<usize, Life> = BTreeMap::new();
    for (index, one) in fused.iter().enumerate() {
        for value in [Some(one.input), one.added.map(Added::value)].into_iter().flatten() {
            if let Some(life) = lives.get_mut(&value) {
                life.until = index;
            }
        }
        let len = maps.get(&one.output).map_or(0, Map::len);
        lives.insert(one.output, Life { len, from: index, until: index });
    }
    // Outputs are read out after the last step.
    for view in &graph.outputs {
        let value = taken.get(&view.value).map_or(view.value, |taken| taken.value);
        if let Some(life) = lives.get_mut(&value) {
            life.until = fused.len();
        }
    }
    let values: Vec<usize> = lives.keys().copied().collect();
    let lives: Vec<Life> = lives.into_values().collect();
    let placed = place(&lives).filter(|&(_, len)| len <= MAX_VALUES);
    let (places, len) = placed.ok_or_else(|| Unsupported {
        operator: "graph".to_owned(),
        node: String::new(),
        why: Why::TooLarge,
    })?;
    Ok((values.into_iter().zip(places).collect(), len))
}

/// How each output is read out of its map.
fn answers(
    graph: &Graph,
    maps: &Maps,
    places: &Places,
    taken: &BTreeMap<usize, Taken>,
) -> Result<Vec<Output>, Unsupported> {
    let answer = |view: &super::shape::View| {
        let taken = taken.get(&view.value);
        let value = taken.map_or(view.value, |taken| taken.value);
        let map = *maps.get(&value)?;
        let order = match view.order {
            Order::Planes => Plain::Planar,
            Order::Pixels => Plain::Interleaved,
        };
        let place = places.get(&value)?.clone();
        let unblock = match taken {
            Some(taken) => Unblock::channels(map, order, taken.channels.clone(), taken.sigmoid).ok()?,
            None => Unblock::new(map, order),
        };
        Some(Output { unblock, place, dims: view.dims.clone() })
    };
    let missing = || Unsupported { operator: "output".to_owned(), node: String::new(), why: Why::Order };
    graph.outputs.iter().map(|view| answer(view).ok_or_else(missing)).collect()
}

/// All packed weights, one after the other.
fn pack(
    opened: &Opened<'_>,
    fused: &[Fused],
    steps: &[Step],
    packed_len: usize,
) -> Result<Floats, Unsupported> {
    let mut all = Floats::new(packed_len);
    for (one, step) in fused.iter().zip(steps) {
        let packed = all.all_mut().get_mut(step.packed.clone()).unwrap_or_default();
        let values =
            |name: &str| opened.constants.get(name).and_then(|tensor| tensor.f32s()).unwrap_or_default();
        step.kernel.pack(one, values, packed).map_err(|error| refused(one, Why::Kernel(error)))?;
    }
    Ok(all)
}
