//! Graphs that are drawn from a seed.

use super::{Builder, int, ints, text};

/// A map in the graph under construction.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) name: String,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

pub(crate) struct Drawn {
    pub(crate) onnx: Vec<u8>,
    pub(crate) input: [usize; 4],
    pub(crate) outputs: Vec<String>,
}

/// A random graph with residuals; every choice comes from the seed.
pub(crate) fn draw(seed: u64) -> Drawn {
    let mut b = Builder::new(seed);
    let batch = if b.numbers.below(4) == 0 { 2 } else { 1 };
    let channels = [1, 3, 3, 5, 20][b.numbers.below(5)];
    let input = [batch, channels, 6 + b.numbers.below(14), 6 + b.numbers.below(14)];
    let mut at = At { name: "x".into(), channels, height: input[2], width: input[3] };
    let mut kept: Vec<At> = Vec::new();
    for _ in 0..2 + b.numbers.below(7) {
        at = step(&mut b, &at, &kept);
        if at.name != "x" && b.numbers.below(2) == 0 {
            kept.push(at.clone());
        }
    }
    let mut outputs = vec![head(&mut b, &at, batch)];
    if let Some(kept) = kept.first().filter(|kept| kept.name != outputs[0]) {
        outputs.push(kept.name.clone());
    }
    let declared: Vec<(&str, usize)> = outputs.iter().map(|name| (&**name, 0)).collect();
    let onnx = b.finish(input, &declared);
    Drawn { onnx, input, outputs }
}

fn step(b: &mut Builder, at: &At, kept: &[At]) -> At {
    let same = |name| At { name, ..at.clone() };
    match b.numbers.below(14) {
        0..=2 => {
            let to = [1, 3, 8, 16, 17, 24, 40, 64][b.numbers.below(8)];
            let kernel = [[1, 1], [3, 3], [2, 2], [4, 4], [5, 5], [3, 1]][b.numbers.below(6)];
            conv(b, at, to, 1, kernel)
        }
        3 | 4 => {
            let kernel = [[3, 3], [5, 5], [3, 3], [7, 7], [2, 2]][b.numbers.below(5)];
            conv(b, at, at.channels, at.channels, kernel)
        }
        5 | 6 => {
            let spelling = b.numbers.below(5);
            same(b.prelu(&at.name, at.channels, spelling))
        }
        7 => same(b.node("Relu", &[&at.name], vec![])),
        8 => same(b.norm(&at.name, at.channels)),
        9 => {
            // A residual, of an older map or of the map itself.
            let fits = |other: &&At| {
                (other.channels, other.height, other.width) == (at.channels, at.height, at.width)
            };
            match kept.iter().find(fits) {
                Some(other) => same(b.node("Add", &[&other.name, &at.name], vec![])),
                None => {
                    let padded = conv_of(b, at, at.channels, 1, [3, 3], 1, [1; 4]);
                    same(b.node("Add", &[&padded.name, &at.name], vec![]))
                }
            }
        }
        10 => pool(b, at),
        11 if at.height * at.width <= 400 => {
            let scales = b.constant_of(&[4], vec![1.0, 1.0, 2.0, 2.0]);
            let attributes = vec![
                text("mode", "nearest"),
                text("coordinate_transformation_mode", "asymmetric"),
                text("nearest_mode", "floor"),
            ];
            let name = b.node("Resize", &[&at.name, "", &scales], attributes);
            At { name, channels: at.channels, height: at.height * 2, width: at.width * 2 }
        }
        12 => {
            let op = ["Add", "Mul", "Sub"][b.numbers.below(3)];
            let operand = if b.numbers.below(2) == 0 {
                b.constant(&[1], 0.5, 1.5)
            } else {
                b.constant(&[1, at.channels, 1, 1], 0.5, 1.5)
            };
            let first = b.numbers.below(2) == 0;
            let inputs = if first { [&*at.name, &*operand] } else { [&*operand, &*at.name] };
            same(b.node(op, &inputs, vec![]))
        }
        _ => {
            let bounds = [b.constant_of(&[], vec![-0.25]), b.constant_of(&[], vec![0.75])];
            same(b.node("Clip", &[&at.name, &bounds[0], &bounds[1]], vec![]))
        }
    }
}

fn conv(b: &mut Builder, at: &At, to: usize, groups: usize, kernel: [usize; 2]) -> At {
    let stride = [1, 1, 2, 4][b.numbers.below(4)];
    let pads = [0, 1, 2, 3].map(|i: usize| b.numbers.below(kernel[i % 2]));
    conv_of(b, at, to, groups, kernel, stride, pads)
}

pub(crate) fn conv_of(
    b: &mut Builder,
    at: &At,
    to: usize,
    groups: usize,
    kernel: [usize; 2],
    stride: usize,
    pads: [usize; 4],
) -> At {
    let padded = [at.height + pads[0] + pads[2], at.width + pads[1] + pads[3]];
    if padded[0] < kernel[0] || padded[1] < kernel[1] {
        return at.clone();
    }
    let name = b.conv(&at.name, [at.channels, to, groups], kernel, stride, pads);
    let side = |i: usize| (padded[i] - kernel[i]) / stride + 1;
    At { name, channels: to, height: side(0), width: side(1) }
}

pub(crate) fn pool(b: &mut Builder, at: &At) -> At {
    let (kernel, stride, pad) = [(2, 2, 0), (3, 2, 1), (3, 1, 1)][b.numbers.below(3)];
    if at.height + 2 * pad < kernel || at.width + 2 * pad < kernel {
        return at.clone();
    }
    let (op, counts) = [("MaxPool", 0), ("AveragePool", 0), ("AveragePool", 1)][b.numbers.below(3)];
    let mut attributes = vec![
        ints("kernel_shape", &[kernel as i64; 2]),
        ints("strides", &[stride; 2]),
        ints("pads", &[pad as i64; 4]),
    ];
    if op == "AveragePool" {
        attributes.push(int("count_include_pad", counts));
    }
    let side = |side: usize| (side + 2 * pad - kernel) / stride as usize + 1;
    let name = b.node(op, &[&at.name], attributes);
    At { name, channels: at.channels, height: side(at.height), width: side(at.width) }
}

/// Ends a drawn graph in one of several ways; returns the name of its output.
fn head(b: &mut Builder, at: &At, batch: usize) -> String {
    let flat = |b: &mut Builder| b.node("Flatten", &[&at.name], vec![int("axis", 1)]);
    let length = at.channels * at.height * at.width;
    match b.numbers.below(6) {
        0 if length < 20_000 => {
            let flat = flat(b);
            let reach = (3.0 / length as f32).sqrt();
            let weights = b.constant(&[19, length], -reach, reach);
            let bias = b.constant(&[19], -1.0, 1.0);
            b.node("Gemm", &[&flat, &weights, &bias], vec![int("transB", 1)])
        }
        1 if length < 20_000 => {
            let flat = flat(b);
            let reach = (3.0 / length as f32).sqrt();
            let weights = b.constant(&[length, 7], -reach, reach);
            b.node("MatMul", &[&flat, &weights], vec![])
        }
        2 => {
            // A detector's head.
            let shape = b.shape_of(&[batch as i64, -1, at.channels as i64]);
            let transposed = b.node("Transpose", &[&at.name], vec![ints("perm", &[0, 2, 3, 1])]);
            let reshaped = b.node("Reshape", &[&transposed, &shape], vec![]);
            b.node("Sigmoid", &[&reshaped], vec![])
        }
        3 => {
            let pooled = b.node("GlobalAveragePool", &[&at.name], vec![]);
            b.node("Flatten", &[&pooled], vec![int("axis", 1)])
        }
        4 => flat(b),
        _ => b.node("Sigmoid", &[&at.name], vec![]),
    }
}
