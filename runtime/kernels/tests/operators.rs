//! Every operator, instruction set, tile and number of parts against plain f64 loops, on shapes drawn at
//! random. `PROPTEST_CASES` sets how many.
#![allow(clippy::unwrap_used, clippy::needless_range_loop, reason = "test helpers fail by panicking")]

mod naive;

use core::ops::Range;

use arcdoor_kernels::{
    Activation, Behind, Block, Chain, Coded, Conv, Depthwise, Elementwise, Epilogue, Inputs, Isa, LANES, Map,
    Order, Part, Planar, Pool, PoolKind, Residual, ShapeError, Square, Taps, Tile, Unblock, Upsample2,
    Winograd,
};
use naive::{Plain, Seed, activate, assert_near, convolve, inputs, isas, plain};
use proptest::prelude::*;

/// Under Miri, which takes a thousand times as long, maps are smaller, but still have two blocks.
const CHANNELS: Range<usize> = if cfg!(miri) { 1..20 } else { 1..40 };
const OUTPUTS: Range<usize> = if cfg!(miri) { 1..36 } else { 1..70 };
const ROWS: Range<usize> = if cfg!(miri) { 1..6 } else { 1..12 };
const COLUMNS: Range<usize> = if cfg!(miri) { 1..8 } else { 1..17 };
const SQUARES: Range<usize> = if cfg!(miri) { 1..7 } else { 1..15 };

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Relu,
    Activation::Prelu,
    Activation::Clip { min: -0.5, max: 0.75 },
    Activation::Sigmoid,
];

/// What an epilogue adds, drawn from a seed.
struct End {
    epilogue: Epilogue,
    residual: Option<(Plain, Vec<f32>)>,
    bias: Vec<f32>,
    slopes: Option<Vec<f32>>,
}

impl End {
    fn draw(seed: &mut Seed, output: &Map) -> Self {
        let activation = ACTIVATIONS[seed.next() as usize % 5];
        let kind = seed.next() % 3;
        let values = Plain::random(seed, output.channels(), output.height(), output.width());
        let (map, blocked) = values.blocked(seed.next() as usize % 3);
        let residual = match kind {
            0 => Residual::None,
            1 => Residual::BeforeActivation(map),
            _ => Residual::AfterActivation(map),
        };
        Self {
            epilogue: Epilogue { activation, residual },
            residual: (kind > 0).then_some((values, blocked)),
            bias: seed.values(output.channels()),
            slopes: matches!(activation, Activation::Prelu).then(|| seed.values(output.channels())),
        }
    }

    fn apply(&self, channels: usize, sums: &[f64]) -> Vec<f64> {
        let plane = sums.len() / channels;
        let ended = sums.iter().enumerate().map(|(at, &sum)| {
            let slope = self.slopes.as_ref().map_or(0.0, |slopes| slopes[at / plane]);
            let added = self.residual.as_ref().map_or(0.0, |(plain, _)| f64::from(plain.values[at]));
            match self.epilogue.residual {
                Residual::BeforeActivation(_) => activate(self.epilogue.activation, slope, sum + added),
                _ => activate(self.epilogue.activation, slope, sum) + added,
            }
        });
        ended.collect()
    }

    fn residual(&self) -> Option<&[f32]> {
        self.residual.as_ref().map(|(_, blocked)| blocked.as_slice())
    }
}

/// Runs an operator in `parts` parts into a buffer that is not empty, and returns the pixels of the result.
fn in_parts(
    map: &Map,
    parts: usize,
    mut run: impl FnMut(Part, &mut [f32]) -> Result<(), ShapeError>,
) -> Vec<f32> {
    let mut output = vec![f32::NAN; map.len()];
    for index in 0..parts {
        let part = Part::new(index, parts).unwrap();
        run(part, &mut output[part.range(map)]).unwrap();
    }
    plain(map, &output)
}

fn check_conv(conv: &Conv, input: &[f32], weights: &[f32], end: &End, wanted: &[f64], seed: &mut Seed) {
    let mut packed = vec![f32::NAN; conv.packed_len()];
    conv.pack(weights, Some(&end.bias), end.slopes.as_deref(), &mut packed).unwrap();
    let terms = conv.weights_len() / conv.output().channels() + 2;
    let mut fused: Option<Vec<f32>> = None;
    for isa in isas() {
        let run = |tile: Tile, parts: usize| {
            in_parts(&conv.output(), parts, |part, piece| {
                conv.run_part(isa, tile, inputs(&packed, input, end.residual()), part, piece)
            })
        };
        let got = run(conv.tile(isa), 1);
        assert_near(isa.name(), &got, wanted, terms);
        if isa != Isa::portable() {
            assert_eq!(*fused.get_or_insert_with(|| got.clone()), got, "{isa} differs from another set");
        }
        let mut draw = |below: u64| 1 + (seed.next() % below) as usize;
        let tile = Tile { pixels: draw(20), blocks: draw(5), planes: draw(3), strip: draw(60) };
        assert_eq!(run(tile, draw(5)), got, "{isa} {tile:?} differs from its default tile");
    }
}

proptest! {
    #[test]
    fn dense_convolutions(
        (channels, outputs) in (CHANNELS, OUTPUTS), (height, width) in (ROWS, COLUMNS),
        kernel in [1_usize..8, 1_usize..8], stride in 1_usize..5, pads in [0_usize..4, 0_usize..4, 0_usize..4, 0_usize..4],
        (seed, border) in (any::<u64>(), 0_usize..3), planar in any::<bool>(),
    ) {
        let seed = &mut Seed(seed);
        let taps = Taps { kernel, stride, pads };
        let channels = if planar { 1 + channels % 3 } else { channels };
        let Ok(size) = taps.output_size(height, width) else { return Ok(()) };
        let plain = Plain::random(seed, channels, height, width);
        let output = Map::new(outputs, size[0], size[1], border).unwrap();
        let end = End::draw(seed, &output);
        let weights = seed.values(outputs * channels * kernel[0] * kernel[1]);
        let wanted = end.apply(outputs, &convolve(&plain, outputs, taps, size, &weights, &end.bias, false));
        if planar {
            let conv = Conv::stem(Planar { channels, height, width }, output, taps, end.epilogue).unwrap();
            check_conv(&conv, &plain.values, &weights, &end, &wanted, seed);
        } else {
            let (input, values) = plain.blocked(7);
            let conv = Conv::new(input, output, taps, end.epilogue).unwrap();
            check_conv(&conv, &values, &weights, &end, &wanted, seed);
        }
    }

    #[test]
    fn winograd_convolutions(
        (channels, outputs) in (CHANNELS, OUTPUTS), (height, width) in (SQUARES, SQUARES),
        pads in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3], (seed, border) in (any::<u64>(), 0_usize..3),
        parts in 1_usize..5, four in any::<bool>(),
    ) {
        let seed = &mut Seed(seed);
        let taps = Taps { kernel: [3, 3], stride: 1, pads };
        let Ok(size) = taps.output_size(height, width) else { return Ok(()) };
        let source = Plain::random(seed, channels, height, width);
        let output = Map::new(outputs, size[0], size[1], border).unwrap();
        let end = End::draw(seed, &output);
        let weights = seed.values(outputs * channels * 9);
        let wanted = end.apply(outputs, &convolve(&source, outputs, taps, size, &weights, &end.bias, false));
        let (input, values) = source.blocked(2);
        let square = if four { Square::Four } else { Square::Two };
        let operator = Winograd::new(square, input, output, taps, end.epilogue).unwrap();
        let mut packed = vec![f32::NAN; operator.packed_len()];
        operator.pack(&weights, Some(&end.bias), end.slopes.as_deref(), &mut packed).unwrap();
        let conv = Conv::new(input, output, taps, end.epilogue).unwrap();
        let mut scratch = vec![f32::NAN; operator.scratch_len()];
        for isa in isas() {
            let mut run = |tile, parts| in_parts(&output, parts, |part, piece| {
                operator.run_part(isa, tile, inputs(&packed, &values, end.residual()), part, &mut scratch, piece)
            });
            let got = run(conv.tile(isa), 1);
            // F(4x4, 3x3) loses about one decimal digit.
            assert_near(isa.name(), &got, &wanted, channels * 9 * if four { 8 } else { 2 });
            prop_assert_eq!(got, run(Tile { pixels: 3, blocks: 1, planes: 1, strip: 1 }, parts));
        }
    }

    #[test]
    fn fully_connected(
        (channels, outputs) in (CHANNELS, 1..2 * OUTPUTS.end), (height, width) in (1_usize..5, 1_usize..5),
        (seed, border) in (any::<u64>(), 0_usize..2),
    ) {
        let seed = &mut Seed(seed);
        let plain = Plain::random(seed, channels, height, width);
        let (input, values) = plain.blocked(border);
        let output = Map::new(outputs, 1, 1, 0).unwrap();
        let end = End::draw(seed, &output);
        let weights = seed.values(outputs * channels * height * width);
        let taps = Taps { kernel: [height, width], stride: 1, pads: [0; 4] };
        let wanted = end.apply(outputs, &convolve(&plain, outputs, taps, [1, 1], &weights, &end.bias, false));
        let conv = Conv::dense(input, output, end.epilogue).unwrap();
        check_conv(&conv, &values, &weights, &end, &wanted, seed);
    }

    #[test]
    fn weights_of_codes_give_the_bits_of_their_products(
        (channels, outputs) in (CHANNELS, 1..2 * OUTPUTS.end), (height, width) in (ROWS, COLUMNS),
        kernel in [1_usize..8, 1_usize..8], stride in 1_usize..4, (seed, border) in (any::<u64>(), 0_usize..3),
        dense in any::<bool>(), parts in 1_usize..5,
    ) {
        let seed = &mut Seed(seed);
        let (height, width) = if dense { (1 + height % 5, 1 + width % 5) } else { (height, width) };
        let whole = Taps { kernel: [height, width], stride: 1, pads: [0; 4] };
        let taps = if dense { whole } else { Taps { kernel, stride, pads: [1; 4] } };
        let Ok(size) = taps.output_size(height, width) else { return Ok(()) };
        let output = Map::new(outputs, size[0], size[1], border).unwrap();
        let end = End::draw(seed, &output);
        let (input, values) = Plain::random(seed, channels, height, width).blocked(7);
        let conv = match dense {
            true => Conv::dense(input, output, end.epilogue).unwrap(),
            false => Conv::new(input, output, taps, end.epilogue).unwrap(),
        };
        let codes: Vec<u8> = (0..conv.weights_len()).map(|_| seed.next() as u8).collect();
        let scales = seed.values(outputs);
        let by_output = conv.weights_len() / outputs;
        let value = |(at, &code): (usize, &u8)| f32::from(code.cast_signed()) * scales[at / by_output];
        let weights: Vec<f32> = codes.iter().enumerate().map(value).collect();
        let operator = Coded::new(conv).unwrap();
        let mut packed = [vec![f32::NAN; conv.packed_len()], vec![f32::NAN; operator.packed_len()]];
        conv.pack(&weights, Some(&end.bias), end.slopes.as_deref(), &mut packed[0]).unwrap();
        operator.pack(&codes, &scales, Some(&end.bias), end.slopes.as_deref(), &mut packed[1]).unwrap();
        let mut scratch = vec![f32::NAN; operator.scratch_len()];
        for isa in isas() {
            let mut draw = |below: u64| 1 + (seed.next() % below) as usize;
            let drawn = Tile { pixels: draw(20), blocks: draw(5), planes: draw(3), strip: draw(60) };
            let wanted = in_parts(&output, 1, |part, piece| {
                conv.run_part(isa, conv.tile(isa), inputs(&packed[0], &values, end.residual()), part, piece)
            });
            for tile in [conv.tile(isa), drawn] {
                let got = in_parts(&output, parts, |part, piece| {
                    operator.run_part(isa, tile, inputs(&packed[1], &values, end.residual()), part, &mut scratch, piece)
                });
                prop_assert_eq!(&got, &wanted, "{} {:?}", isa, tile);
            }
        }
    }

    #[test]
    fn depthwise_convolutions(
        channels in CHANNELS, (height, width) in (ROWS, COLUMNS),
        kernel in prop_oneof![Just([3, 3]), Just([5, 5]), Just([7, 7]), [1_usize..8, 1_usize..8]],
        stride in 1_usize..4, pads in [0_usize..4, 0_usize..4, 0_usize..4, 0_usize..4],
        (seed, border) in (any::<u64>(), 0_usize..3), global in any::<bool>(), parts in 1_usize..5,
    ) {
        let seed = &mut Seed(seed);
        let taps = if global {
            Taps { kernel: [height, width], stride: 1, pads: [0; 4] }
        } else {
            Taps { kernel, stride, pads }
        };
        let size = if global {
            [1, 1]
        } else {
            let Ok(size) = taps.output_size(height, width) else { return Ok(()) };
            size
        };
        let source = Plain::random(seed, channels, height, width);
        let (input, values) = source.blocked(seed.next() as usize % 2);
        let output = Map::new(channels, size[0], size[1], border).unwrap();
        let end = End::draw(seed, &output);
        let weights = seed.values(channels * taps.kernel[0] * taps.kernel[1]);
        let wanted = end.apply(channels, &convolve(&source, channels, taps, size, &weights, &end.bias, true));
        let operator = if global {
            Depthwise::global(input, output, end.epilogue).unwrap()
        } else {
            Depthwise::new(input, output, taps, end.epilogue).unwrap()
        };
        let mut packed = vec![f32::NAN; operator.packed_len()];
        operator.pack(&weights, Some(&end.bias), end.slopes.as_deref(), &mut packed).unwrap();
        for isa in isas() {
            let run = |parts| in_parts(&output, parts, |part, piece| {
                operator.run_part(isa, inputs(&packed, &values, end.residual()), part, piece)
            });
            let got = run(1);
            assert_near(isa.name(), &got, &wanted, taps.kernel[0] * taps.kernel[1] + 2);
            prop_assert_eq!(got, run(parts));
        }
    }

    #[test]
    fn chains_are_their_operators_one_after_the_other(
        (channels, outputs) in (CHANNELS, prop_oneof![1..=LANES, OUTPUTS]), (height, width) in (ROWS, COLUMNS),
        head in prop_oneof![Just([1, 1]), [1_usize..4, 1_usize..4]], planar in any::<bool>(),
        behind in prop::collection::vec((0..3, [1_usize..6, 1_usize..6], 1_usize..4, any::<[u8; 4]>()), 1..4),
        (seed, border, room) in (any::<u64>(), 0_usize..3, 0_usize..6000), parts in 1_usize..5,
    ) {
        let seed = &mut Seed(seed);
        let channels = if planar { 1 + channels % 3 } else { channels };
        let taps = Taps { kernel: head, stride: 1 + seed.next() as usize % 2, pads: [0, 1, 0, 1].map(|pad| pad * (head[0] - 1)) };
        let Ok(size) = taps.output_size(height, width) else { return Ok(()) };
        let source = Plain::random(seed, channels, height, width);
        let (blocked, values) = source.blocked(5);
        let mut map = Map::new(outputs, size[0], size[1], 0).unwrap();
        let activation = |seed: &mut Seed| Epilogue::activation(ACTIVATIONS[[0, 1, 3, 4][seed.next() as usize % 4]]);
        let conv = if planar {
            Conv::stem(Planar { channels, height, width }, map, taps, activation(seed))
        } else {
            Conv::new(blocked, map, taps, activation(seed))
        };
        let (head, input) = (conv.unwrap(), if planar { &source.values } else { &values });
        let mut packed = vec![0.0; head.packed_len()];
        head.pack(&seed.values(head.weights_len()), Some(&seed.values(outputs)), None, &mut packed).unwrap();
        let mut operators = Vec::new();
        let mut end = None;
        for (at, (kind, kernel, stride, pads)) in behind.iter().enumerate() {
            let pads = [0, 1, 2, 3].map(|side: usize| usize::from(pads[side]) % kernel[side % 2]);
            // A pointwise convolution is a chain's within one block alone.
            let (is_pool, is_pointwise) = (*kind == 0, *kind == 1 && outputs <= LANES);
            let taps = if is_pointwise {
                Taps::square(1, 1, 0)
            } else {
                Taps { kernel: *kernel, stride: *stride, pads }
            };
            let Ok(size) = taps.output_size(map.height(), map.width()) else { return Ok(()) };
            let last = at + 1 == behind.len();
            let output = Map::new(outputs, size[0], size[1], if last { border } else { 0 }).unwrap();
            let epilogue = if last {
                let drawn = End::draw(seed, &output);
                let epilogue = drawn.epilogue;
                end = Some(drawn);
                epilogue
            } else {
                activation(seed)
            };
            let slopes = end.as_ref().and_then(|end| end.slopes.as_deref());
            let mut weights = Vec::new();
            let operator = if is_pool {
                let Ok(pool) = Pool::new(PoolKind::Max, map, output, taps, epilogue) else { return Ok(()) };
                weights.resize(pool.packed_len(), 0.0);
                pool.pack(slopes, &mut weights).unwrap();
                Behind::Pool(pool)
            } else if is_pointwise {
                let conv = Conv::new(map, output, taps, epilogue).unwrap();
                weights.resize(conv.packed_len(), 0.0);
                let values = seed.values(conv.weights_len());
                conv.pack(&values, Some(&seed.values(outputs)), slopes, &mut weights).unwrap();
                Behind::Pointwise(conv, conv.tile(isas()[0]))
            } else {
                let depthwise = Depthwise::new(map, output, taps, epilogue).unwrap();
                weights.resize(depthwise.packed_len(), 0.0);
                let values = seed.values(outputs * kernel[0] * kernel[1]);
                depthwise.pack(&values, Some(&seed.values(outputs)), slopes, &mut weights).unwrap();
                Behind::Depthwise(depthwise)
            };
            packed.extend(&weights);
            operators.push((operator, weights));
            map = output;
        }
        let end = end.unwrap();
        let behind: Vec<Behind> = operators.iter().map(|(operator, _)| *operator).collect();
        let chain = Chain::new(head, &behind, room).unwrap();
        prop_assert_eq!((chain.output(), chain.packed_len()), (map, packed.len()));
        for isa in isas() {
            let tile = head.tile(isa);
            let mut one = vec![f32::NAN; head.output().len()];
            head.run(isa, tile, inputs(&packed[..head.packed_len()], input, None), &mut one).unwrap();
            for (at, (operator, weights)) in operators.iter().enumerate() {
                let residual = if at + 1 == operators.len() { end.residual() } else { None };
                let inputs = inputs(weights, &one, residual);
                one = match operator {
                    Behind::Depthwise(operator) => {
                        let mut output = vec![f32::NAN; operator.output().len()];
                        operator.run(isa, inputs, &mut output).unwrap();
                        output
                    }
                    Behind::Pointwise(operator, tile) => {
                        let mut output = vec![f32::NAN; operator.output().len()];
                        operator.run(isa, *tile, inputs, &mut output).unwrap();
                        output
                    }
                    Behind::Pool(operator) => {
                        let mut output = vec![f32::NAN; operator.output().len()];
                        operator.run(isa, inputs, &mut output).unwrap();
                        output
                    }
                };
            }
            let mut scratch = vec![f32::NAN; chain.scratch_len()];
            let got = in_parts(&map, parts, |part, piece| {
                chain.run_part(isa, tile, inputs(&packed, input, end.residual()), part, &mut scratch, piece)
            });
            prop_assert_eq!(got, plain(&map, &one));
        }
    }

    #[test]
    fn pools(
        channels in CHANNELS, (height, width) in (ROWS, ROWS),
        kernel in [1_usize..4, 1_usize..4], stride in 1_usize..4,
        pads in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        (seed, kind, global) in (any::<u64>(), 0_usize..3, any::<bool>()),
    ) {
        let seed = &mut Seed(seed);
        let kind = [PoolKind::Max, PoolKind::Average, PoolKind::AverageWithPads][kind];
        let taps = if global {
            Taps { kernel: [height, width], stride: 1, pads: [0; 4] }
        } else {
            Taps { kernel, stride, pads }
        };
        let size = if global { Ok([1, 1]) } else { taps.output_size(height, width) };
        let Ok(size) = size else { return Ok(()) };
        let source = Plain::random(seed, channels, height, width);
        let (input, values) = source.blocked(1);
        let output = Map::new(channels, size[0], size[1], 1).unwrap();
        let end = End::draw(seed, &output);
        let operator = if global {
            Pool::global(kind, input, output, end.epilogue)
        } else {
            Pool::new(kind, input, output, taps, end.epilogue)
        };
        let Ok(operator) = operator else { return Ok(()) };
        let mut sums = Vec::new();
        for channel in 0..channels {
            for oy in 0..size[0] {
                for ox in 0..size[1] {
                    let window = (0..taps.kernel[0]).flat_map(|y| (0..taps.kernel[1]).map(move |x| (y, x)));
                    let window: Vec<f64> = window.filter_map(|(y, x)| source.get(
                        channel,
                        (oy * taps.stride + y) as isize - taps.pads[0] as isize,
                        (ox * taps.stride + x) as isize - taps.pads[1] as isize,
                    )).collect();
                    sums.push(match kind {
                        PoolKind::Max => window.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                        PoolKind::Average => window.iter().sum::<f64>() / window.len() as f64,
                        PoolKind::AverageWithPads => {
                            window.iter().sum::<f64>() / (taps.kernel[0] * taps.kernel[1]) as f64
                        }
                    });
                }
            }
        }
        let wanted = end.apply(channels, &sums);
        let mut packed = vec![f32::NAN; operator.packed_len()];
        operator.pack(end.slopes.as_deref(), &mut packed).unwrap();
        for isa in isas() {
            let got = in_parts(&output, 2, |part, piece| {
                operator.run_part(isa, inputs(&packed, &values, end.residual()), part, piece)
            });
            assert_near(isa.name(), &got, &wanted, taps.kernel[0] * taps.kernel[1] + 2);
        }
    }

    #[test]
    fn elementwise_steps_and_upsampling(
        channels in CHANNELS, (height, width) in (ROWS, ROWS), seed in any::<u64>(),
        affine in any::<bool>(), up in any::<bool>(),
    ) {
        let seed = &mut Seed(seed);
        let source = Plain::random(seed, channels, height, width);
        let (input, values) = source.blocked(1);
        let times = if up { 2 } else { 1 };
        let output = Map::new(channels, times * height, times * width, 2).unwrap();
        let end = End::draw(seed, &output);
        let scale = seed.values(channels);
        let mut sums = Vec::new();
        for channel in 0..channels {
            for row in 0..times * height {
                for column in 0..times * width {
                    let x = source.get(channel, (row / times) as isize, (column / times) as isize).unwrap();
                    sums.push(if affine && !up {
                        x * f64::from(scale[channel]) + f64::from(end.bias[channel])
                    } else {
                        x
                    });
                }
            }
        }
        let wanted = end.apply(channels, &sums);
        for isa in isas() {
            let got = if up {
                let operator = Upsample2::new(input, output, end.epilogue).unwrap();
                let mut packed = vec![f32::NAN; operator.packed_len()];
                operator.pack(end.slopes.as_deref(), &mut packed).unwrap();
                in_parts(&output, 2, |part, piece| {
                    operator.run_part(isa, inputs(&packed, &values, end.residual()), part, piece)
                })
            } else {
                let (operator, scale, bias) = if affine {
                    let operator = Elementwise::affine(input, output, end.epilogue).unwrap();
                    (operator, Some(&scale[..]), Some(&end.bias[..]))
                } else {
                    (Elementwise::new(input, output, end.epilogue).unwrap(), None, None)
                };
                let mut packed = vec![f32::NAN; operator.packed_len()];
                operator.pack(scale, bias, end.slopes.as_deref(), &mut packed).unwrap();
                in_parts(&output, 2, |part, piece| {
                    operator.run_part(isa, inputs(&packed, &values, end.residual()), part, piece)
                })
            };
            assert_near(isa.name(), &got, &wanted, 4);
        }
    }

    #[test]
    fn blocked_and_back(
        channels in CHANNELS, (height, width) in (ROWS, ROWS), border in 0_usize..3,
        seed in any::<u64>(),
    ) {
        let source = Plain::random(&mut Seed(seed), channels, height, width);
        let map = Map::new(channels, height, width, border).unwrap();
        let mut blocked = vec![f32::NAN; map.len()];
        Block::new(map).run(&source.values, &mut blocked).unwrap();
        prop_assert_eq!(plain(&map, &blocked), source.values.clone());
        let mut back = vec![f32::NAN; source.values.len()];
        Unblock::new(map, Order::Planar).run(Isa::portable(), &blocked, &mut back).unwrap();
        prop_assert_eq!(&back, &source.values);
        Unblock::new(map, Order::Interleaved).run(Isa::portable(), &blocked, &mut back).unwrap();
        for (at, value) in back.iter().enumerate() {
            prop_assert_eq!(*value, source.values[at % channels * height * width + at / channels]);
        }
        let some = seed as usize % channels..channels - (seed >> 32) as usize % (channels - seed as usize % channels);
        for order in [Order::Planar, Order::Interleaved] {
            let unblock = Unblock::channels(map, order, some.clone(), false).unwrap();
            let mut values = vec![f32::NAN; unblock.output_len()];
            unblock.run(Isa::portable(), &blocked, &mut values).unwrap();
            let (plane, count) = (height * width, some.len());
            for (at, value) in values.iter().enumerate() {
                let [channel, pixel] = match order {
                    Order::Planar => [at / plane, at % plane],
                    Order::Interleaved => [at % count, at / count],
                };
                prop_assert_eq!(*value, source.values[(some.start + channel) * plane + pixel]);
            }
        }
    }
}

/// The 2x2 pool with stride 2 has code of its own, for maps in which every window lies inside. With padding below, the last
/// windows of an odd side do not, and must not read what lies behind the map in memory.
#[test]
fn a_halving_pool_that_is_padded_below_looks_at_no_padding() {
    let (input, output) = (Map::new(1, 3, 3, 1).unwrap(), Map::new(1, 2, 2, 0).unwrap());
    let taps = Taps { pads: [0, 0, 1, 1], ..Taps::square(2, 2, 0) };
    let pool = Pool::new(PoolKind::Max, input, output, taps, Epilogue::NONE).unwrap();
    let mut values = vec![9.0; input.len()];
    for (row, column) in (0..9).map(|at| (at / 3, at % 3)) {
        values[input.at(0, row, column)] = -1.0 - (row * 3 + column) as f32;
    }
    let mut packed = vec![0.0; pool.packed_len()];
    pool.pack(None, &mut packed).unwrap();
    for isa in isas() {
        let mut out = vec![0.0; output.len()];
        pool.run(isa, inputs(&packed, &values, None), &mut out).unwrap();
        let found = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(row, column)| out[output.at(0, row, column)]);
        assert_eq!(found, [-1.0, -3.0, -7.0, -9.0], "{isa}");
    }
}

#[test]
fn weights_that_are_made_while_they_are_packed_are_those_that_were_made_before() {
    let map = |channels| Map::new(channels, 3, 3, 1).unwrap();
    let none = Epilogue::activation(Activation::None);
    let conv = Conv::new(map(5), map(20), Taps::square(3, 1, 1), none).unwrap();
    let codes: Vec<[u8; 1]> = (0..conv.weights_len()).map(|at| [(at * 37) as u8]).collect();
    let scales: Vec<f32> = (0..20).map(|m| (m as f32 - 8.0) * 0.013).collect();
    let row = codes.len() / 20;
    let products =
        codes.iter().enumerate().map(|(at, code)| f32::from(code[0].cast_signed()) * scales[at / row]);
    let (mut wanted, mut packed) = (vec![0.0; conv.packed_len()], vec![0.0; conv.packed_len()]);
    conv.pack(&products.collect::<Vec<_>>(), None, None, &mut wanted).unwrap();
    let product = |m: usize, code: [u8; 1]| f32::from(code[0].cast_signed()) * scales[m];
    conv.pack_with(&codes, product, None, None, &mut packed).unwrap();
    assert!(wanted.iter().zip(&packed).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert!(conv.pack_with(&codes[1..], product, None, None, &mut packed).is_err());
}

/// What each activation gives for NaN and the infinities.
#[test]
fn nan_and_infinity_pass() {
    let map = Map::new(1, 1, 4, 0).unwrap();
    let mut input = vec![0.0; map.len()];
    for (column, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN].into_iter().enumerate() {
        input[column * 16] = value;
    }
    let far = f32::INFINITY;
    for (activation, [nan, above, below, negative]) in [
        (Activation::None, [f32::NAN, far, -far, f32::NAN]),
        (Activation::Relu, [f32::NAN, far, 0.0, f32::NAN]),
        (Activation::Prelu, [f32::NAN, far, -far, f32::NAN]),
        (Activation::Clip { min: -1.0, max: 1.0 }, [f32::NAN, 1.0, -1.0, f32::NAN]),
        (Activation::Sigmoid, [f32::NAN, 1.0, 0.0, f32::NAN]),
    ] {
        let step = Conv::new(map, map, Taps::square(1, 1, 0), Epilogue::activation(activation)).unwrap();
        let mut packed = vec![0.0; step.packed_len()];
        let slopes = matches!(activation, Activation::Prelu).then_some(&[0.25_f32][..]);
        step.pack(&[1.0], None, slopes, &mut packed).unwrap();
        for isa in isas() {
            let mut output = vec![0.0; map.len()];
            step.run(isa, step.tile(isa), inputs(&packed, &input, None), &mut output).unwrap();
            for (at, wanted) in [nan, above, below, negative].into_iter().enumerate() {
                let got = output[at * 16];
                let same = (got.is_nan() && wanted.is_nan()) || got == wanted || (got - wanted).abs() < 1e-6;
                assert!(same, "{isa} {activation:?}: {got}, not {wanted}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let map = |channels, size, border| Map::new(channels, size, size, border).unwrap();
    let none = Epilogue::NONE;
    let taps = Taps::square(3, 1, 1);
    assert_eq!(Conv::new(map(3, 8, 0), map(4, 8, 0), taps, none), Err(ShapeError::Border { needed: 1 }));
    let size = Err(ShapeError::OutputSize { rows: 8, columns: 8 });
    assert_eq!(Conv::new(map(3, 8, 1), map(4, 7, 0), taps, none), size);
    let huge = Taps { kernel: [usize::MAX; 2], stride: 1, pads: [usize::MAX; 4] };
    assert!(Conv::new(map(3, 8, 1), map(4, 8, 0), huge, none).is_err());
    let far = Taps { kernel: [3; 2], stride: 1, pads: [usize::MAX; 4] };
    assert!(Conv::new(map(3, 8, 1), map(4, 8, 0), far, none).is_err());
    assert!(Depthwise::new(map(3, 8, 1), map(4, 8, 0), taps, none).is_err());
    let other = Epilogue { residual: Residual::BeforeActivation(map(5, 8, 0)), ..none };
    assert_eq!(Conv::new(map(3, 8, 1), map(4, 8, 0), taps, other), Err(ShapeError::Residual));

    let conv = Conv::new(map(3, 8, 1), map(4, 8, 0), taps, none).unwrap();
    let (packed, input) = (vec![0.0; conv.packed_len()], vec![0.0; map(3, 8, 1).len()]);
    let mut output = vec![0.0; conv.output().len()];
    let (isa, tile) = (Isa::portable(), conv.tile(Isa::portable()));
    let mut run = |inputs: Inputs<'_>, short: usize| {
        let end = output.len() - short;
        conv.run(isa, tile, inputs, &mut output[..end])
    };
    assert_eq!(run(inputs(&packed, &input, None), 0), Ok(()));
    assert!(run(inputs(&packed[1..], &input, None), 0).is_err());
    assert!(run(inputs(&packed, &input[1..], None), 0).is_err());
    assert!(run(inputs(&packed, &input, None), 1).is_err());
    assert_eq!(run(inputs(&packed, &input, Some(&input)), 0), Err(ShapeError::ResidualMissing));
}
