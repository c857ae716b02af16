//! Measuring a layer's candidates on the machine at hand.

use arcdoor_kernels::{Conv, Inputs, Isa, ShapeError, Tile, Winograd};

use super::floats::Floats;
use crate::tuning::{Choice, Form, Layer};

/// Values of all copies of a layer's weights together, at most: 64 MiB.
const MOST_VALUES: usize = 16 << 20;
/// Nanoseconds that one sample takes at least, so that reading the clock does not count.
const SAMPLE_NS: u64 = 300_000;
/// Samples of each candidate that stays in the race; the least counts.
const SAMPLES: usize = 5;
/// A candidate that takes so many hundredths of the best one's time leaves.
const HOPELESS: u64 = 115;
/// What a choice must save to be taken, in hundredths: less is noise.
const LEAST_GAIN: u64 = 3;

/// What measuring one layer brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuned {
    /// What was measured.
    pub layer: Layer,
    /// What it has without a tuning.
    pub default: Choice,
    /// Nanoseconds of one run with it.
    pub default_ns: u64,
    /// The fastest; the default where nothing was faster by three hundredths.
    pub best: Choice,
    /// Nanoseconds of one run with it.
    pub best_ns: u64,
}

/// Measures a layer on the best instructions of this CPU. `weights` are the bytes of the weights that are read
/// between two runs of the layer: the network's. `winograd`: whether other forms of the sums are tried, too.
/// `now` gives nanoseconds, of the thread's CPU time best of all.
///
/// # Errors
/// When there is no such layer.
pub fn tune(
    layer: &Layer,
    weights: usize,
    winograd: bool,
    now: &mut dyn FnMut() -> u64,
) -> Result<Tuned, ShapeError> {
    let isa = Isa::detect();
    let default = layer.default_choice(isa)?;
    let mut forms = vec![default.form];
    if winograd && layer.has_winograd() {
        let all = [Form::Direct, Form::Winograd2, Form::Winograd4];
        forms.extend(all.into_iter().filter(|form| *form != default.form));
    }
    let mut benches = Vec::new();
    for form in forms {
        // What is too large in Winograd's form is left out.
        match Bench::new(layer, form, weights, isa) {
            Ok(bench) => benches.push(bench),
            Err(_) if form != default.form => {}
            Err(error) => return Err(error),
        }
    }
    let mut race = Race { isa, now, default, best: default };
    race.sizes(&mut benches)?;
    race.cuts(&mut benches)?;
    // Both once more, in turns: what won above by chance loses here.
    let [default_ns, best_ns] = match &*race.run(&mut benches, &[default, race.best])? {
        [default_ns, best_ns] => [*default_ns, *best_ns],
        _ => [0, 0],
    };
    if best_ns * 100 > default_ns * (100 - LEAST_GAIN) {
        return Ok(Tuned { layer: *layer, default, default_ns, best: default, best_ns: default_ns });
    }
    Ok(Tuned { layer: *layer, default, default_ns, best: race.best, best_ns })
}

struct Race<'a> {
    isa: Isa,
    now: &'a mut dyn FnMut() -> u64,
    default: Choice,
    best: Choice,
}

impl Race<'_> {
    /// Pixels and blocks in registers.
    fn sizes(&mut self, benches: &mut [Bench]) -> Result<(), ShapeError> {
        let mut choices = vec![self.default];
        for bench in &*benches {
            for [pixels, blocks] in Tile::sizes(self.isa) {
                let tile = Tile { pixels, blocks, ..self.default.tile };
                choices.push(Choice { form: bench.form, tile });
            }
        }
        self.take(benches, &choices)
    }

    /// Planes in one pass, pixels in one strip: of direct sums alone.
    fn cuts(&mut self, benches: &mut [Bench]) -> Result<(), ShapeError> {
        if self.best.form != Form::Direct {
            return Ok(());
        }
        let with = |best: Choice, change: &dyn Fn(&mut Tile)| {
            let mut choice = best;
            change(&mut choice.tile);
            choice
        };
        let best = self.best;
        let planes = [1, 2, 4, 8, usize::MAX].map(|planes| with(best, &|tile| tile.planes = planes));
        self.take(benches, &[&[best], &planes[..]].concat())?;
        let best = self.best;
        let strips = [24, 96, 384, usize::MAX].map(|strip| with(best, &|tile| tile.strip = strip));
        self.take(benches, &[&[best], &strips[..]].concat())
    }

    fn take(&mut self, benches: &mut [Bench], choices: &[Choice]) -> Result<(), ShapeError> {
        let times = self.run(benches, choices)?;
        let fastest = times.iter().zip(choices).min_by_key(|(ns, _)| **ns);
        self.best = fastest.map_or(self.best, |(_, choice)| *choice);
        Ok(())
    }

    /// The least nanoseconds of each, sampled in turns.
    fn run(&mut self, benches: &mut [Bench], choices: &[Choice]) -> Result<Vec<u64>, ShapeError> {
        let mut times = vec![u64::MAX; choices.len()];
        for round in 0..SAMPLES {
            let best = times.iter().copied().min().unwrap_or(u64::MAX);
            for (choice, least) in choices.iter().zip(&mut times) {
                // Saturated: nothing was measured yet.
                if round > 0 && least.saturating_mul(100) > best.saturating_mul(HOPELESS) {
                    continue;
                }
                if let Some(bench) = benches.iter_mut().find(|bench| bench.form == choice.form) {
                    *least = (*least).min(bench.sample(choice.tile, self.now)?);
                }
            }
        }
        Ok(times)
    }
}

enum Operator {
    Direct(Conv),
    Winograd(Winograd),
}

/// One form of a layer with its buffers.
struct Bench {
    form: Form,
    operator: Operator,
    isa: Isa,
    input: Floats,
    output: Floats,
    scratch: Floats,
    /// Copies of the weights, used in turn: so that they come from where the network's come from.
    packed: Vec<Floats>,
    next: usize,
    /// Runs of one sample.
    runs: u64,
}

impl Bench {
    fn new(layer: &Layer, form: Form, weights: usize, isa: Isa) -> Result<Self, ShapeError> {
        let conv = layer.conv()?;
        // Time does not depend on them; none is near 0, where some CPUs are slow.
        let values = vec![0.01; conv.weights_len()];
        let (operator, packed_len, scratch_len) = match form.square() {
            None => (Operator::Direct(conv), conv.packed_len(), 0),
            Some(square) => {
                let op = layer.winograd(square)?;
                (Operator::Winograd(op), op.packed_len(), op.scratch_len())
            }
        };
        let mut first = Floats::new(packed_len);
        match &operator {
            Operator::Direct(op) => op.pack(&values, None, None, first.all_mut())?,
            Operator::Winograd(op) => op.pack(&values, None, None, first.all_mut())?,
        }
        let copies = (weights / (packed_len * 4)).clamp(1, (MOST_VALUES / packed_len).max(1));
        let mut packed = vec![first];
        for _ in 1..copies {
            let mut copy = Floats::new(packed_len);
            copy.all_mut().copy_from_slice(packed[0].all());
            packed.push(copy);
        }
        let mut input = Floats::new(layer.input_len()?);
        input.all_mut().fill(0.5);
        let output = Floats::new(conv.output().len());
        let scratch = Floats::new(scratch_len);
        Ok(Self { form, operator, isa, input, output, scratch, packed, next: 0, runs: 0 })
    }

    fn run(&mut self, tile: Tile) -> Result<(), ShapeError> {
        self.next = (self.next + 1) % self.packed.len();
        let inputs = Inputs {
            packed: self.packed[self.next].all(),
            input: self.input.all(),
            residual: None,
            next: &[],
        };
        match &self.operator {
            Operator::Direct(op) => op.run(self.isa, tile, inputs, self.output.all_mut()),
            Operator::Winograd(op) => {
                op.run(self.isa, tile, inputs, self.scratch.all_mut(), self.output.all_mut())
            }
        }
    }

    /// Nanoseconds of one run, as the mean of some.
    fn sample(&mut self, tile: Tile, now: &mut dyn FnMut() -> u64) -> Result<u64, ShapeError> {
        if self.runs == 0 {
            // The first touches the memory, the second says how many a sample needs.
            self.run(tile)?;
            let start = now();
            self.run(tile)?;
            let took = now().saturating_sub(start).max(1);
            self.runs = SAMPLE_NS.div_ceil(took).clamp(1, 1_000);
        }
        let start = now();
        for _ in 0..self.runs {
            self.run(tile)?;
        }
        Ok(now().saturating_sub(start) / self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: Layer =
        Layer { planar: false, input: [40, 9, 9], outputs: 24, kernel: [3, 3], stride: 1, pads: [1; 4] };

    #[test]
    fn a_clock_that_stands_still_changes_nothing() {
        let small = Layer { input: [3, 2, 2], outputs: 5, ..LAYER };
        let tuned = tune(&small, 0, false, &mut || 7).unwrap();
        assert_eq!(tuned.best, tuned.default);
    }

    #[test]
    fn every_kind_of_layer_can_be_measured() {
        let wide = Layer { kernel: [1, 1], pads: [0; 4], ..LAYER };
        let dense = Layer { kernel: [9, 9], pads: [0; 4], outputs: 70, ..LAYER };
        let stem = Layer { planar: true, input: [3, 21, 30], stride: 2, ..LAYER };
        for layer in [LAYER, wide, dense, stem] {
            let mut time = 0;
            let mut now = || {
                time += 10_000_000;
                time
            };
            let tuned = tune(&layer, 1 << 20, true, &mut now).unwrap();
            assert_eq!(tuned.layer, layer);
            assert!(tuned.best_ns <= tuned.default_ns && tuned.default_ns > 0);
            assert!(crate::Tuning::new(&[(layer, tuned.best)]).is_ok(), "{tuned:?}");
        }
        assert!(tune(&Layer { stride: 9, ..LAYER }, 0, true, &mut || 0).is_err());
    }
}
