//! Measuring, on this machine, which tile and form of a layer is fastest.

use arcdoor_kernels::{Conv, Inputs, Isa, ShapeError, Tile, Winograd};

use super::floats::Floats;
use crate::tuning::{Choice, Form, Layer};

/// Values of all copies of a layer's weights together, at most: 64 MiB.
const MOST_VALUES: usize = 16 << 20;
/// Least nanoseconds of one sample: so long that the time to read the clock does not matter.
const SAMPLE_NS: u64 = 300_000;
/// How often each candidate is measured, unless it is given up before; its shortest time counts.
const SAMPLES: usize = 5;
/// A candidate is given up when it takes longer than this many hundredths of the best one's time.
const HOPELESS: u64 = 115;
/// Hundredths of the default's time that a choice must save to be taken: smaller differences are noise.
const LEAST_GAIN: u64 = 3;

/// The result of measuring one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuned {
    /// The layer that was measured.
    pub layer: Layer,
    /// The choice that it has without a tuning.
    pub default: Choice,
    /// Nanoseconds of one run with the default.
    pub default_ns: u64,
    /// The fastest choice; the default where no other was faster by at least 3 %.
    pub best: Choice,
    /// Nanoseconds of one run with the fastest.
    pub best_ns: u64,
}

/// Measures a layer with the best instructions of this CPU. `weights` is the size of all weights of the network in
/// bytes: in the network, so much is read between two runs of the layer, and its own weights have left the caches by
/// then. `winograd`: whether forms of the sums other than the default's are tried, too. `now` returns nanoseconds, if
/// possible of the thread's CPU time.
///
/// # Errors
/// When the kernels refuse the layer's shape.
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
        // Winograd's forms need more memory: one that would be too large is left out.
        match Bench::new(layer, form, weights, isa) {
            Ok(bench) => benches.push(bench),
            Err(_) if form != default.form => {}
            Err(error) => return Err(error),
        }
    }
    let mut race = Race { isa, now, default, best: default };
    race.sizes(&mut benches)?;
    race.cuts(&mut benches)?;
    // The default and the winner are measured once more, in turns: a winner by chance loses here.
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
    /// Tries how many pixels and blocks to sum in registers, in each form.
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

    /// Tries how many planes to sum in one pass, and how many pixels to compute in one strip; direct sums alone have
    /// these.
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

    /// The shortest time of each choice, in nanoseconds, measured in turns.
    fn run(&mut self, benches: &mut [Bench], choices: &[Choice]) -> Result<Vec<u64>, ShapeError> {
        let mut times = vec![u64::MAX; choices.len()];
        for round in 0..SAMPLES {
            let best = times.iter().copied().min().unwrap_or(u64::MAX);
            for (choice, least) in choices.iter().zip(&mut times) {
                // Saturating: the time of a choice that has none yet is u64::MAX.
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
    /// Copies of the weights, used in turn, as many as fill the size of the network's: so they are read from the same
    /// cache, or from memory, as in the network.
    packed: Vec<Floats>,
    next: usize,
    /// Runs of one sample.
    runs: u64,
}

impl Bench {
    fn new(layer: &Layer, form: Form, weights: usize, isa: Isa) -> Result<Self, ShapeError> {
        let conv = layer.conv()?;
        // Any weights will do, since time does not depend on them, but denormal numbers, with which some CPUs are
        // slow.
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

    /// Nanoseconds of one run: the mean of as many runs as make a sample.
    fn sample(&mut self, tile: Tile, now: &mut dyn FnMut() -> u64) -> Result<u64, ShapeError> {
        if self.runs == 0 {
            // The first run brings the memory in; from the second one's time follows how many runs make a sample.
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
