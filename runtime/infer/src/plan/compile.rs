//! From a decoded graph to steps over one arena.

use std::collections::BTreeMap;
use std::ops::Range;

use arcdoor_kernels::{Isa, Map, Order as Plain, Unblock};

use super::arena::{Life, place};
use super::bands::{Bands, Chain, Link};
use super::explain::{Entry, predicted_us};
use super::floats::Floats;
use super::fuse::{Added, Fused, Kind, fuse, is_stem};
use super::graph::Graph;
use super::merge::{Taken, merge};
use super::refusal::{Unsupported, Why};
use super::shape::{Order, Shape};
use super::step::{Form, Source, Step, epilogue};
use super::{Loading, Output, Plan};
use crate::onnx::Opened;
use crate::tuning::{Choice, Layer, Tuning};

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
    let layers: Vec<Option<Layer>> = fused.iter().map(|one| layer_of(&graph, &maps, one)).collect();
    let choices: Vec<Option<Choice>> = layers.iter().map(|layer| tuning.choice(layer.as_ref()?)).collect();
    let forms: Vec<Form> =
        fused.iter().zip(&choices).map(|(one, choice)| form(&graph, &maps, one, *choice)).collect();
    let (chains, held) = chains(&graph, &fused, &forms, &maps, &taken, tuning.bands());
    let (places, arena_len) = places(&graph, &fused, &maps, &taken, &chains, &held)?;
    let mut steps = Vec::with_capacity(fused.len());
    let mut entries = Vec::with_capacity(fused.len());
    let mut packed_len = 0_usize;
    for (index, (one, &form)) in fused.iter().zip(&forms).enumerate() {
        let refused = |why| refused(one, why);
        let of = |value: usize| maps.get(&value).copied().zip(places.get(&value).cloned());
        let (map, place) = of(one.output).ok_or_else(|| refused(Why::Order))?;
        let source = if matches!(form, Form::Stem(..) | Form::Block) { None } else { of(one.input) };
        let added =
            one.added.map(|added| of(added.value()).ok_or_else(|| refused(Why::Order))).transpose()?;
        let tile = choices[index].map(|choice| choice.tile);
        let whole = source.as_ref().map(|(map, _)| *map);
        let kernel = epilogue(one, added.as_ref().map(|(map, _)| *map)).and_then(|epilogue| {
            let kernel = form.kernel(whole, map, 0..map.height(), epilogue, isa, tile)?;
            Ok((kernel, epilogue))
        });
        let (kernel, epilogue) = kernel.map_err(|error| refused(Why::Kernel(error)))?;
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
            predicted_us: predicted_us(&kernel, &map, form.taps().map_or(1, |taps| taps.stride), bytes),
            banded: chains.iter().any(|chain| chain.steps.contains(&index)),
            layer: layers[index],
        });
        let lies = |value: usize, map: Map| held.get(&value).copied().unwrap_or(map);
        steps.push(Step {
            kernel,
            form,
            tile,
            epilogue,
            maps: (whole.map(|map| lies(one.input, map)), lies(one.output, map)),
            packed,
            input: source.map_or(Source::Image, |(_, place)| Source::Map(place)),
            residual: added.map(|(_, place)| place),
            output: place,
        });
    }
    let outputs = answers(&graph, &maps, &places, &taken)?;
    let (batch, image) = (graph.batch, graph.input.len());
    after(Loading::Planned);
    let weights = pack(opened, &fused, &steps, packed_len)?;
    after(Loading::Packed);
    let scratch_len = steps.iter().map(|step| step.kernel.scratch_len()).max().unwrap_or(0);
    Ok(Plan { steps, chains, entries, weights, arena_len, scratch_len, outputs, batch, image, isa })
}

fn form(graph: &Graph, maps: &Maps, one: &Fused, choice: Option<Choice>) -> Form {
    let input = maps.get(&one.input).filter(|_| !is_stem(graph, &one.kind, one.input));
    // Every step's output has its map.
    maps.get(&one.output)
        .map_or(Form::Block, |&output| Form::new(one, graph.input, input.copied(), output, choice))
}

/// Runs of steps that go band by band, and what is held of the maps between them.
fn chains(
    graph: &Graph,
    fused: &[Fused],
    forms: &[Form],
    maps: &Maps,
    taken: &BTreeMap<usize, Taken>,
    bands: Bands,
) -> (Vec<Chain>, Maps) {
    let read = |one: &Fused| [Some(one.input), one.added.map(Added::value)].into_iter().flatten();
    let mut readers: BTreeMap<usize, usize> = BTreeMap::new();
    fused.iter().flat_map(read).for_each(|value| *readers.entry(value).or_default() += 1);
    for view in &graph.outputs {
        *readers.entry(taken.get(&view.value).map_or(view.value, |taken| taken.value)).or_default() += 1;
    }
    let link = |index: usize| Link::new(forms[index].taps()?, fused[index].shape.height);
    let light = |index: usize| match forms[index] {
        Form::Conv(taps) => {
            let weights = graph_len(maps, fused[index].input) * graph_len(maps, fused[index].output);
            4 * weights * taps.kernel[0] * taps.kernel[1] <= bands.weights
        }
        _ => true,
    };
    let hands_on = |index: usize| {
        let (Some(one), Some(next)) = (fused.get(index), fused.get(index + 1)) else { return false };
        let long = maps.get(&one.output).is_some_and(|map| 4 * map.len() >= bands.from);
        long && next.input == one.output
            && readers.get(&one.output) == Some(&1)
            && light(index)
            && light(index + 1)
    };
    let (mut chains, mut held) = (Vec::new(), Maps::new());
    let mut start = 0;
    while start < fused.len() {
        let mut best = None;
        let mut links: Vec<Link> = link(start).into_iter().collect();
        let mut end = start + 1;
        while !links.is_empty()
            && hands_on(end - 1)
            && let Some(more) = link(end)
        {
            links.push(more);
            end += 1;
            let between: Vec<Map> =
                (start..end - 1).filter_map(|at| maps.get(&fused[at].output).copied()).collect();
            match Chain::fit(start..end, links.clone(), &between, bands) {
                Some(fits) => best = Some(fits),
                None => break,
            }
        }
        match best {
            Some((chain, maps)) => {
                held.extend(chain.steps.clone().map(|at| fused[at].output).zip(maps));
                start = chain.steps.end;
                chains.push(chain);
            }
            None => start += 1,
        }
    }
    (chains, held)
}

/// Channels of a value, with those that fill its last block.
fn graph_len(maps: &Maps, value: usize) -> usize {
    maps.get(&value).map_or(0, |map| map.blocks() * arcdoor_kernels::LANES)
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
        if let Kind::Conv { taps, .. } | Kind::Depthwise { taps, .. } = &one.kind {
            let from = graph.shape(one.input);
            let beyond = |out: usize, kernel: usize, side: usize, before: usize| {
                ((out.saturating_sub(1)) * taps.stride + kernel).saturating_sub(side + before)
            };
            let below = beyond(one.shape.height, taps.kernel[0], from.height, taps.pads[0]);
            let right = beyond(one.shape.width, taps.kernel[1], from.width, taps.pads[1]);
            let border = taps.pads[0].max(taps.pads[1]).max(below).max(right);
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
    chains: &[Chain],
    held: &Maps,
) -> Result<(Places, usize), Unsupported> {
    // The steps of a chain run at the same time.
    let time = |index: usize| {
        let chain = chains.iter().find(|chain| chain.steps.contains(&index));
        chain.map_or(index, |chain| chain.steps.start)
    };
    let mut lives: BTreeMap<usize, Life> = BTreeMap::new();
    for (index, one) in fused.iter().enumerate() {
        for value in [Some(one.input), one.added.map(Added::value)].into_iter().flatten() {
            if let Some(life) = lives.get_mut(&value) {
                life.until = time(index);
            }
        }
        let len = held.get(&one.output).or(maps.get(&one.output)).map_or(0, Map::len);
        lives.insert(one.output, Life { len, from: time(index), until: time(index) });
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
