//! From a graph to steps over one arena.

use std::collections::BTreeMap;
use std::ops::Range;

use arcdoor_kernels::{Isa, LANES, Map, Unblock};

use super::arena::{Life, place};
use super::chain::{self, Link, group};
use super::explain::{Entry, predicted_us};
use super::floats::Floats;
use super::fuse::{Added, Fused, Kind, fuse, is_stem};
use super::merge::{Taken, merge};
use super::run::{Output, Plan};
use super::step::{Kernel, Step};
use crate::graph::{Graph, Shape, Unsupported, View, Why};
use crate::tuning::{Layer, Tuning};
use crate::watcher::{Done, Watcher};

/// Longest arena and longest packed weights, in values: 512 MiB each.
const MAX_VALUES: usize = 128 << 20;

/// Compiles a graph for the instruction set of this CPU.
///
/// # Errors
/// Names the first operator that the plan does not run, and why.
pub(crate) fn compile(graph: &Graph<'_>, tuning: &Tuning, watcher: &Watcher) -> Result<Plan, Unsupported> {
    let isa = Isa::detect();
    let mut fused = fuse(graph);
    let taken = merge(graph, &mut fused);
    let maps = maps(graph, &fused)?;
    let links = links(graph, &fused, &maps, isa, tuning)?;
    let groups = group(graph, &links);
    let (places, arena_len) = places(graph, &links, &groups, &taken)?;
    let mut steps = Vec::with_capacity(groups.len());
    let mut entries = Vec::with_capacity(groups.len());
    for group in groups {
        let (step, entry) = step(&links[group], &places)?;
        steps.push(step);
        entries.push(entry);
    }
    look_ahead(&mut steps);
    let outputs = answers(graph, &maps, &places, &taken)?;
    let image = places.get(&IMAGE).cloned().ok_or_else(|| Unsupported::whole(Why::Order))?;
    let batch = graph.batch;
    watcher.tell(Done::Planned);
    let weights = pack(&links)?;
    watcher.tell(Done::Packed);
    let scratch_len = steps.iter().map(|step| step.kernel.scratch_len()).max().unwrap_or(0);
    Ok(Plan { steps, entries, weights, arena_len, scratch_len, outputs, batch, image, isa })
}

/// Each fused step with its kernel.
fn links<'a>(
    graph: &Graph<'_>,
    fused: &'a [Fused<'a>],
    maps: &Maps,
    isa: Isa,
    tuning: &Tuning,
) -> Result<Vec<Link<'a>>, Unsupported> {
    let mut end = 0_usize;
    let link = |one: &'a Fused<'a>| {
        let refused = |why| refused(one, why);
        let of = |value: usize| maps.get(&value).copied().ok_or_else(|| refused(Why::Order));
        let map = of(one.output)?;
        let planar = one.kind == Kind::Block || is_stem(graph, &one.kind, one.input);
        let source = if planar { None } else { Some(of(one.input)?) };
        let added = one.added.map(|added| of(added.value())).transpose()?;
        let layer = layer_of(graph, maps, one);
        let choice = layer.and_then(|layer| tuning.choice(&layer));
        let kernel = Kernel::new(one, graph.input, source, added, map, isa, choice)
            .map_err(|error| refused(Why::Kernel(error)))?;
        let packed = end..end + kernel.packed_len();
        // Each step's weights begin at a cache line.
        end = packed.end.next_multiple_of(LANES);
        if end > MAX_VALUES {
            return Err(refused(Why::TooLarge));
        }
        Ok(Link { fused: one, kernel, map, planar, layer, packed })
    };
    fused.iter().map(link).collect()
}

/// The step that one group of links becomes, and its description.
fn step(links: &[Link<'_>], places: &Places) -> Result<(Step, Entry), Unsupported> {
    let (Some(first), Some(last)) = (links.first(), links.last()) else {
        return Err(Unsupported::whole(Why::Order));
    };
    let refused = |why| refused(last.fused, why);
    let of = |value: usize| places.get(&value).cloned().ok_or_else(|| refused(Why::Order));
    let kernel = chain::kernel(links).map_err(|error| refused(Why::Kernel(error)))?;
    let packed = first.packed.start..last.packed.end;
    let input = of(if first.planar { IMAGE } else { first.fused.input })?;
    let residual = last.fused.added.map(|added| of(added.value())).transpose()?;
    let output = of(last.fused.output)?;
    let read = if first.planar { 0 } else { input.len() };
    let names: Vec<&str> = links.iter().map(|link| &*link.fused.operators).collect();
    let entry = Entry {
        operators: names.join(" > "),
        name: last.fused.name.clone(),
        shape: [last.map.channels(), last.map.height(), last.map.width()],
        macs: kernel.macs(),
        predicted_us: predicted_us(links, 4 * (packed.len() + read + output.len())),
        layer: first.layer,
    };
    Ok((Step { kernel, packed, next: 0..0, input, residual, output }, entry))
}

/// Fills in for each step which weights are fetched while it runs: those of the steps that follow it, up to and with
/// the next step that does so itself.
fn look_ahead(steps: &mut [Step]) {
    let mut end = steps.last().map_or(0, |step| step.packed.end);
    for step in steps.iter_mut().rev() {
        step.next = step.packed.end..end;
        if matches!(step.kernel, Kernel::Coded(..) | Kernel::Conv(..) | Kernel::Chain(..)) {
            end = step.packed.end;
        }
    }
}

/// The layer that a tuning may have a choice for: dense convolutions and fully connected layers are such.
fn layer_of(graph: &Graph<'_>, maps: &Maps, fused: &Fused<'_>) -> Option<Layer> {
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

fn refused(fused: &Fused<'_>, why: Why) -> Unsupported {
    Unsupported { operator: fused.operators.clone(), node: fused.name.clone(), why }
}

type Maps = BTreeMap<usize, Map>;

/// A map for every value that a step makes, with the border that its readers ask for.
fn maps(graph: &Graph<'_>, fused: &[Fused<'_>]) -> Result<Maps, Unsupported> {
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

/// The network's input among the values that have a place: value 0 is its blocked form.
const IMAGE: usize = usize::MAX;

/// Where in the arena each value lies that one step hands to another, and the input.
fn places(
    graph: &Graph<'_>,
    links: &[Link<'_>],
    groups: &[Range<usize>],
    taken: &BTreeMap<usize, Taken>,
) -> Result<(Places, usize), Unsupported> {
    let reads_image = |group: &Range<usize>| links.get(group.start).is_some_and(|link| link.planar);
    let last = groups.iter().rposition(reads_image).unwrap_or(0);
    let image = Life { len: graph.input.len().next_multiple_of(LANES), from: 0, until: last };
    let mut lives = BTreeMap::from([(IMAGE, image)]);
    for (index, group) in groups.iter().enumerate() {
        let links = &links[group.clone()];
        for link in links {
            for value in [Some(link.fused.input), link.fused.added.map(Added::value)].into_iter().flatten() {
                if let Some(life) = lives.get_mut(&value) {
                    life.until = index;
                }
            }
        }
        if let Some(last) = links.last() {
            lives.insert(last.fused.output, Life { len: last.map.len(), from: index, until: index });
        }
    }
    // Outputs are read out after the last step.
    for view in &graph.outputs {
        let value = taken.get(&view.value).map_or(view.value, |taken| taken.value);
        if let Some(life) = lives.get_mut(&value) {
            life.until = groups.len();
        }
    }
    let values: Vec<usize> = lives.keys().copied().collect();
    let lives: Vec<Life> = lives.into_values().collect();
    let placed = place(&lives).filter(|&(_, len)| len <= MAX_VALUES);
    let (places, len) = placed.ok_or_else(|| Unsupported::whole(Why::TooLarge))?;
    let mut places: Places = values.into_iter().zip(places).collect();
    if let Some(image) = places.get_mut(&IMAGE) {
        image.end = image.start + graph.input.len();
    }
    Ok((places, len))
}

/// How each output is read out of its map.
fn answers(
    graph: &Graph<'_>,
    maps: &Maps,
    places: &Places,
    taken: &BTreeMap<usize, Taken>,
) -> Result<Vec<Output>, Unsupported> {
    let answer = |view: &View| {
        let taken = taken.get(&view.value);
        let value = taken.map_or(view.value, |taken| taken.value);
        let map = *maps.get(&value)?;
        let place = places.get(&value)?.clone();
        let unblock = match taken {
            Some(taken) => Unblock::channels(map, view.order, taken.channels.clone(), taken.sigmoid).ok()?,
            None => Unblock::new(map, view.order),
        };
        Some(Output { unblock, place, dims: view.dims.clone() })
    };
    let missing = || Unsupported { operator: "output".to_owned(), node: String::new(), why: Why::Order };
    graph.outputs.iter().map(|view| answer(view).ok_or_else(missing)).collect()
}

/// All packed weights, one after the other.
fn pack(links: &[Link<'_>]) -> Result<Floats, Unsupported> {
    let mut all = Floats::new(links.last().map_or(0, |link| link.packed.end));
    for Link { fused, kernel, packed, .. } in links {
        let packed = all.all_mut().get_mut(packed.clone()).unwrap_or_default();
        kernel.pack(fused, packed).map_err(|error| refused(fused, Why::Kernel(error)))?;
    }
    Ok(all)
}
