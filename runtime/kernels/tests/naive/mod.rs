//! The plainest form of every operator, on planar maps in f64.

use arcdoor_kernels::{Activation, Inputs, Isa, Map, Taps};

/// A planar map `[channels][height][width]`.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) values: Vec<f32>,
}

impl Plain {
    pub(crate) fn random(seed: &mut Seed, channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, values: seed.values(channels * height * width) }
    }

    pub(crate) fn get(&self, channel: usize, row: isize, column: isize) -> Option<f64> {
        let inside = row >= 0 && column >= 0 && row < self.height as isize && column < self.width as isize;
        inside.then(|| {
            f64::from(self.values[(channel * self.height + row as usize) * self.width + column as usize])
        })
    }

    /// The same as a blocked map; spare lanes hold numbers that must not reach a result.
    pub(crate) fn blocked(&self, border: usize) -> (Map, Vec<f32>) {
        let map = Map::new(self.channels, self.height, self.width, border).unwrap();
        let mut values = vec![0.0; map.len()];
        for block in 0..map.blocks() {
            for row in 0..self.height {
                for column in 0..self.width {
                    for lane in 0..16 {
                        let channel = block * 16 + lane;
                        values[map.at(block, row, column) + lane] = if channel < self.channels {
                            self.values[(channel * self.height + row) * self.width + column]
                        } else {
                            1e3
                        };
                    }
                }
            }
        }
        (map, values)
    }
}

/// Every instruction set of this machine.
pub(crate) fn isas() -> Vec<Isa> {
    let mut isas = vec![Isa::compiled()];
    #[cfg(feature = "std")]
    isas.push(Isa::detect());
    isas.push(isas[isas.len() - 1].lesser());
    isas.push(Isa::portable());
    let mut once = Vec::new();
    isas.into_iter().for_each(|isa| {
        if !once.contains(&isa) {
            once.push(isa)
        }
    });
    once
}

/// The random numbers of splitmix64 (Steele, Lea and Flood 2014), which are good enough for tests.
#[derive(Debug, Clone)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

pub(crate) fn activate(activation: Activation, slope: f32, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(0.0),
        Activation::Prelu => {
            if x < 0.0 {
                x * f64::from(slope)
            } else {
                x
            }
        }
        Activation::Clip { min, max } => x.clamp(f64::from(min), f64::from(max)),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

/// A convolution's sums; `depthwise` takes channel m alone for output m.
pub(crate) fn convolve(
    input: &Plain,
    outputs: usize,
    taps: Taps,
    size: [usize; 2],
    weights: &[f32],
    bias: &[f32],
    depthwise: bool,
) -> Vec<f64> {
    let mut sums = Vec::new();
    let [rows, columns] = taps.kernel;
    let channels = if depthwise { 1 } else { input.channels };
    for m in 0..outputs {
        for oy in 0..size[0] {
            for ox in 0..size[1] {
                let mut sum = f64::from(bias[m]);
                for c in 0..channels {
                    for y in 0..rows {
                        for x in 0..columns {
                            let row = (oy * taps.stride + y) as isize - taps.pads[0] as isize;
                            let column = (ox * taps.stride + x) as isize - taps.pads[1] as isize;
                            let channel = if depthwise { m } else { c };
                            let weight = weights[((m * channels + c) * rows + y) * columns + x];
                            sum += input.get(channel, row, column).unwrap_or(0.0) * f64::from(weight);
                        }
                    }
                }
                sums.push(sum);
            }
        }
    }
    sums
}

/// Reads the pixels of a blocked map, and refuses a border that is not zero or a lane that is not finite.
pub(crate) fn plain(map: &Map, values: &[f32]) -> Vec<f32> {
    let mut rest = values.to_vec();
    let mut plain = Vec::new();
    for channel in 0..map.blocks() * 16 {
        for row in 0..map.height() {
            for column in 0..map.width() {
                let value = std::mem::take(&mut rest[map.at(channel / 16, row, column) + channel % 16]);
                if channel < map.channels() {
                    plain.push(value);
                } else {
                    assert!(value.is_finite(), "a spare lane holds {value}");
                }
            }
        }
    }
    assert!(rest.iter().all(|&value| value == 0.0), "a border is not zero");
    plain
}

pub(crate) fn assert_near(what: &str, got: &[f32], wanted: &[f64], terms: usize) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    // Terms are at most 1 in absolute value.
    let bound = (terms as f64 + 2.0) * 1.5e-7 * (terms as f64).sqrt().max(4.0) + 1e-6;
    for (at, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((f64::from(got) - wanted).abs() <= bound, "{what}: value {at} is {got}, not {wanted}");
    }
}

pub(crate) fn inputs<'a>(packed: &'a [f32], input: &'a [f32], residual: Option<&'a [f32]>) -> Inputs<'a> {
    Inputs { packed, input, residual, next: packed }
}
