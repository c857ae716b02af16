//! Some rows of an operator's output from some rows of its input, against the whole.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "test helpers fail by panicking, and serve other tests, too"
)]

mod naive;

use arcdoor_kernels::{
    Activation, Conv, Depthwise, Elementwise, Epilogue, Map, Order, Part, Planar, Pool, PoolKind, Residual,
    Taps, Unblock,
};
use naive::{Plain, Seed, inputs, isas};
use proptest::prelude::*;

/// The rows of a part of a map, where an image of `map`'s height ends with it.
fn rows(map: &Map, from: usize, to: usize) -> (Map, std::ops::Range<usize>) {
    map.rows(from..to, [from == 0, to == map.height()]).unwrap()
}

proptest! {
    #[test]
    fn rows_by_rows_are_the_whole(
        (channels, outputs) in (1_usize..40, 1_usize..40), (height, width) in (3_usize..14, 3_usize..20),
        (kernel, stride, pad) in (1_usize..4, 1_usize..3, 0_usize..2), border in 0_usize..3, seed in any::<u64>(),
        cuts in proptest::collection::vec(1_usize..5, 14),
    ) {
        let seed = &mut Seed(seed);
        let taps = Taps::square(kernel, stride, pad.min((kernel - 1) / 2));
        let [out_height, out_width] = taps.output_size(height, width).unwrap();
        let (from, input) = Plain::random(seed, channels, height, width).blocked(1);
        let image = Plain::random(seed, 3, height, width);
        let planar = Planar { channels: 3, height, width };
        let to = Map::new(outputs, out_height, out_width, border).unwrap();
        let same = Map::new(channels, out_height, out_width, border).unwrap();
        let (added_map, added) = Plain::random(seed, outputs, out_height, out_width).blocked(2);
        let relu = Epilogue::activation(Activation::Relu);
        let epilogue = |map| Epilogue { residual: Residual::BeforeActivation(map), ..relu };
        let conv = Conv::new(from, to, taps, epilogue(added_map)).unwrap();
        let stem = Conv::stem(planar, to, taps, relu).unwrap();
        let deep = Depthwise::new(from, same, taps, relu).unwrap();
        let mut packed = [conv.packed_len(), stem.packed_len(), deep.packed_len()].map(|len| vec![0.0; len]);
        let bias = seed.values(outputs.max(channels));
        conv.pack(&seed.values(conv.weights_len()), Some(&bias[..outputs]), None, &mut packed[0]).unwrap();
        stem.pack(&seed.values(stem.weights_len()), None, None, &mut packed[1]).unwrap();
        deep.pack(&seed.values(channels * kernel * kernel), Some(&bias[..channels]), None, &mut packed[2]).unwrap();
        for isa in isas() {
            let tile = conv.tile(isa);
            let mut whole = [to, to, same].map(|map| vec![f32::NAN; map.len()]);
            let mut banded = whole.clone();
            conv.run(isa, tile, inputs(&packed[0], &input, Some(&added)), &mut whole[0]).unwrap();
            stem.run(isa, tile, inputs(&packed[1], &image.values, None), &mut whole[1]).unwrap();
            deep.run(isa, inputs(&packed[2], &input, None), &mut whole[2]).unwrap();
            let mut start = 0;
            for cut in &cuts {
                let end = (start + cut).min(out_height);
                if start == end {
                    break;
                }
                let (view, place) = rows(&to, start, end);
                let part = Conv::stem_rows(planar, start..end, view, taps, relu).unwrap();
                part.run(isa, tile, inputs(&packed[1], &image.values, None), &mut banded[1][place.clone()]).unwrap();
                // What the windows of these rows see; padding comes from the border.
                let first = start * stride;
                let seen = first..(first + (end - start - 1) * stride + kernel - 2 * taps.pads[0]);
                let (seen, of_input) = rows(&from, seen.start, seen.end);
                let (beside, of_added) = rows(&added_map, start, end);
                let part = Conv::new(seen, view, taps, epilogue(beside)).unwrap();
                let read = inputs(&packed[0], &input[of_input.clone()], Some(&added[of_added]));
                part.run_part(isa, part.tile(isa), read, Part::WHOLE, &mut banded[0][place]).unwrap();
                let (view, place) = rows(&same, start, end);
                let part = Depthwise::new(seen, view, taps, relu).unwrap();
                part.run(isa, inputs(&packed[2], &input[of_input], None), &mut banded[2][place]).unwrap();
                start = end;
            }
            if start == out_height {
                for (whole, banded) in whole.iter().zip(&banded) {
                    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                    prop_assert_eq!(bits(whole), bits(banded), "{}", isa);
                }
            }
        }
    }

    #[test]
    fn local_steps_by_rows_are_the_whole(
        channels in 1_usize..40, (height, width) in (1_usize..12, 1_usize..12), border in 0_usize..3,
        (seed, band) in (any::<u64>(), 1_usize..5),
    ) {
        let seed = &mut Seed(seed);
        let (from, input) = Plain::random(seed, channels, 2 * height, 2 * width).blocked(1);
        let halved = Map::new(channels, height, width, border).unwrap();
        let copied = from.with_border(border).unwrap();
        let pool = |input, output| {
            Pool::new(PoolKind::Max, input, output, Taps::square(2, 2, 0), Epilogue::NONE).unwrap()
        };
        let copy = |input, output| Elementwise::new(input, output, Epilogue::NONE).unwrap();
        let packed = vec![0.0; copy(from, copied).packed_len()];
        for isa in isas() {
            let mut whole = [halved, copied].map(|map| vec![f32::NAN; map.len()]);
            let mut banded = whole.clone();
            pool(from, halved).run(isa, inputs(&packed, &input, None), &mut whole[0]).unwrap();
            copy(from, copied).run(isa, inputs(&packed, &input, None), &mut whole[1]).unwrap();
            for start in (0..height).step_by(band) {
                let end = (start + band).min(height);
                let (seen, of_input) = rows(&from, 2 * start, 2 * end);
                let read = inputs(&packed, &input[of_input], None);
                let (view, place) = rows(&halved, start, end);
                pool(seen, view).run(isa, read, &mut banded[0][place]).unwrap();
                let (view, place) = rows(&copied, 2 * start, 2 * end);
                copy(seen, view).run(isa, read, &mut banded[1][place]).unwrap();
            }
            prop_assert_eq!(&whole, &banded, "{}", isa);
        }
    }

    #[test]
    fn channels_of_a_shared_map_are_read_out_alone(
        channels in 1_usize..50, (height, width) in (1_usize..5, 1_usize..5), border in 0_usize..2,
        (seed, first, count) in (any::<u64>(), any::<usize>(), any::<usize>()), interleaved in any::<bool>(), sigmoid in any::<bool>(),
    ) {
        let first = first % channels;
        let count = 1 + count % (channels - first);
        let plain = Plain::random(&mut Seed(seed), channels, height, width);
        let (map, values) = plain.blocked(border);
        let order = if interleaved { Order::Interleaved } else { Order::Planar };
        let read = Unblock::channels(map, order, first..first + count, sigmoid).unwrap();
        for isa in isas() {
            let mut output = vec![f32::NAN; read.output_len()];
            read.run(isa, &values, &mut output).unwrap();
            let plane = height * width;
            for (at, value) in output.iter().enumerate() {
                let (channel, pixel) = if interleaved { (at % count, at / count) } else { (at / plane, at % plane) };
                let plain = f64::from(plain.values[(first + channel) * plane + pixel]);
                let wanted = if sigmoid { 1.0 / (1.0 + (-plain).exp()) } else { plain };
                prop_assert!((f64::from(*value) - wanted).abs() < 1e-6, "{} {} {}", isa, value, wanted);
            }
        }
    }
}

#[test]
fn rows_that_are_not_there_are_refused() {
    let map = Map::new(3, 4, 5, 1).unwrap();
    assert!(map.rows(0..0, [true; 2]).is_err() && map.rows(2..5, [true; 2]).is_err());
    let planar = Planar { channels: 3, height: 4, width: 5 };
    for rows in [1..1, 3..5] {
        assert!(Conv::stem_rows(planar, rows, map, Taps::square(3, 1, 1), Epilogue::NONE).is_err());
    }
    for channels in [0..0, 2..4] {
        assert!(Unblock::channels(map, Order::Planar, channels, false).is_err());
    }
}
