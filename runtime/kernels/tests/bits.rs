//! The bits of dense convolutions: the same on every instruction set that rounds a multiply-add once, and from version to
//! version. Templates of a gallery were made by them, and visits are decided again by them on other machines.
#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

#[expect(dead_code, reason = "plain loops, which the other tests compare with")]
mod naive;

use arcdoor_kernels::{
    Activation, Conv, Depthwise, Epilogue, Isa, Map, Planar, Square, Taps, Tile, Winograd,
};
use naive::{Plain, Seed, inputs, isas};

/// FNV-1a of the values' bits.
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

const RELU: Epilogue = Epilogue::activation(Activation::Relu);

fn map(channels: usize, height: usize, width: usize, border: usize) -> Map {
    Map::new(channels, height, width, border).unwrap()
}

fn conv(isa: Isa, conv: &Conv, input: &[f32], tile: Tile) -> u64 {
    let mut seed = Seed(7);
    let mut packed = vec![0.0; conv.packed_len()];
    let bias = seed.values(conv.output().channels());
    conv.pack(&seed.values(conv.weights_len()), Some(&bias), None, &mut packed).unwrap();
    let mut output = vec![0.0; conv.output().len()];
    conv.run(isa, tile, inputs(&packed, input, None), &mut output).unwrap();
    hash(&output)
}

/// What [`hashes`] gives, as AVX-512 first gave it.
const BITS: [u64; 11] = [
    0x7513_7273_8538_52ae,
    0x7db9_c6a7_4860_e30f,
    0x1879_c133_d7fe_bccf,
    0xba31_100b_36d8_97be,
    0x11bb_dc34_7e85_dfef,
    0x53ee_2c0e_d8eb_fc91,
    0xce94_622a_95fd_80a5,
    0xf93b_79f5_a504_4857,
    0x4938_f3d3_5921_8ec9,
    0xe8ff_a320_adc0_e598,
    0x7373_4236_2e45_fd87,
];

/// A hash for each shape that the loops tell apart.
fn hashes(isa: Isa) -> Vec<u64> {
    let mut seed = Seed(1);
    let mut all = Vec::new();
    // Kernel, stride, pad, channels: whole blocks, and 5 and 2 channels beyond one.
    for (kernel, stride, pad, channels) in
        [(1, 1, 0, 48), (1, 1, 0, 37), (3, 1, 1, 34), (3, 2, 1, 32), (5, 3, 2, 18)]
    {
        let (from, input) = Plain::random(&mut seed, channels, 11, 13).blocked(pad);
        let taps = Taps::square(kernel, stride, pad);
        let [height, width] = taps.output_size(11, 13).unwrap();
        let step = Conv::new(from, map(33, height, width, 1), taps, RELU).unwrap();
        all.push(conv(isa, &step, &input, step.tile(isa)));
    }
    for stride in [1, 2, 4] {
        let image = Planar { channels: 3, height: 16, width: 20 };
        let kernel = if stride == 4 { 4 } else { 3 };
        let taps = Taps::square(kernel, stride, 0);
        let [height, width] = taps.output_size(16, 20).unwrap();
        let step = Conv::stem(image, map(20, height, width, 0), taps, RELU).unwrap();
        all.push(conv(isa, &step, &seed.values(image.len()), step.tile(isa)));
    }
    let (from, input) = Plain::random(&mut seed, 35, 3, 4).blocked(0);
    let step = Conv::dense(from, map(70, 1, 1, 0), Epilogue::NONE).unwrap();
    all.push(conv(isa, &step, &input, step.tile(isa)));
    all.push(winograd(isa, &mut seed));
    all.push(depthwise(isa, &mut seed));
    all
}

fn winograd(isa: Isa, seed: &mut Seed) -> u64 {
    let (from, input) = Plain::random(seed, 34, 9, 10).blocked(1);
    let step = Winograd::new(Square::Four, from, map(33, 9, 10, 0), Taps::square(3, 1, 1), RELU).unwrap();
    let (mut packed, mut scratch) = (vec![0.0; step.packed_len()], vec![0.0; step.scratch_len()]);
    step.pack(&seed.values(34 * 33 * 9), None, None, &mut packed).unwrap();
    let mut output = vec![0.0; step.output().len()];
    let tile = Tile { pixels: 5, blocks: 1, planes: usize::MAX, strip: usize::MAX };
    step.run(isa, tile, inputs(&packed, &input, None), &mut scratch, &mut output).unwrap();
    hash(&output)
}

fn depthwise(isa: Isa, seed: &mut Seed) -> u64 {
    let (from, input) = Plain::random(seed, 34, 9, 10).blocked(0);
    let step = Depthwise::new(from, map(34, 9, 10, 0), Taps::square(3, 1, 1), RELU).unwrap();
    let mut packed = vec![0.0; step.packed_len()];
    step.pack(&seed.values(34 * 9), None, None, &mut packed).unwrap();
    let mut output = vec![0.0; step.output().len()];
    step.run(isa, inputs(&packed, &input, None), &mut output).unwrap();
    hash(&output)
}

#[test]
fn every_set_that_rounds_once_gives_the_bits_that_it_always_gave() {
    for isa in isas() {
        // The portable code rounds twice.
        if isa != Isa::portable() {
            assert_eq!(hashes(isa), BITS, "{isa}");
        }
    }
}
