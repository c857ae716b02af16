//! `BatchNormalization` at inference multiplies each channel and adds to it: both are folded into neighbouring weights.

use super::graph::{Constant, Graph, PLAIN_OPSET};
use crate::onnx::node::{float, int};

/// y = x * scale + shift, a pair for each channel.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// Folds the normalisations that can be folded; returns how many.
pub(super) fn fold(graph: &mut Graph) -> usize {
    let before = graph.nodes.len();
    let mut index = 0;
    while index < graph.nodes.len() {
        let is_norm = graph.nodes[index].op_type == "BatchNormalization";
        let folded =
            is_norm && (into_producer(graph, index).is_some() || into_gemm_behind(graph, index).is_some());
        if !folded {
            index += 1;
        }
    }
    before - graph.nodes.len()
}

fn affine(graph: &Graph, index: usize) -> Option<Affine> {
    let node = &graph.nodes[index];
    if node.output.len() != 1 || int(node, "training_mode", 0) != 0 {
        return None;
    }
    let epsilon = f64::from(float(node, "epsilon", 1e-5));
    let part = |i| graph.constant_f32(node, i);
    let (gamma, beta, mean, variance) = (part(1)?, part(2)?, part(3)?, part(4)?);
    let n = gamma.len();
    if [beta.len(), mean.len(), variance.len()] != [n; 3] {
        return None;
    }
    let scale: Vec<f64> =
        (0..n).map(|c| f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt()).collect();
    let shift = (0..n).map(|c| f64::from(beta[c]) - f64::from(mean[c]) * scale[c]).collect();
    Some(Affine { scale, shift })
}

/// Folds a normalisation into the Conv or Gemm before it, whose output channels are scaled and shifted.
fn into_producer(graph: &mut Graph, index: usize) -> Option<()> {
    let affine = affine(graph, index)?;
    let input = graph.nodes[index].input.first()?.clone();
    let output = graph.nodes[index].output.first()?.clone();
    let producer = graph.producer(&input)?;
    if graph.only_reader(&input) != Some(index) {
        return None;
    }
    let node = &graph.nodes[producer];
    let weight = graph.constant(node, 1)?;
    let channel_axis = match &*node.op_type {
        "Conv" => 0,
        "Gemm" if plain_gemm(graph, producer) => usize::from(int(node, "transB", 0) == 0),
        _ => return None,
    };
    let channels = *weight.dims.get(channel_axis)?;
    if affine.scale.len() != channels {
        return None;
    }
    let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
        Some(_) => graph.constant_f32(node, 2).filter(|bias| bias.len() == channels)?.to_vec(),
        None => vec![0.0; channels],
    };
    let int8 = match graph.int8.get(node.input.get(1)?) {
        Some(int8) => Some(int8.times(channel_axis, &affine.scale, graph.opset >= PLAIN_OPSET)?),
        None => None,
    };
    let inner: usize = weight.dims[channel_axis + 1..].iter().product();
    let scaled = weight.f32()?.iter().enumerate();
    let scaled = scaled.map(|(i, &w)| (f64::from(w) * affine.scale[i / inner % channels]) as f32).collect();
    let shifted = bias.iter().enumerate();
    let shifted = shifted.map(|(c, &b)| (f64::from(b) * affine.scale[c] + affine.shift[c]) as f32).collect();
    let dims = weight.dims.clone();
    let weight = int8.as_ref().map_or_else(
        || Constant::new_f32(&dims, scaled),
        |int8| Constant::new_f32(&dims, int8.values(&dims)),
    );
    set_weights(graph, producer, weight, Constant::new_f32(&[channels], shifted))?;
    if let (Some(int8), Some(name)) = (int8, graph.nodes[producer].input.get(1).cloned()) {
        graph.int8.insert(name, int8);
    }
    graph.nodes[producer].output = vec![output];
    graph.nodes.remove(index);
    Some(())
}

/// Folds a normalisation into the Gemm that follows it after a Flatten: the Gemm's input columns are scaled, and the
/// shifts go into its bias.
fn into_gemm_behind(graph: &mut Graph, index: usize) -> Option<()> {
    let affine = affine(graph, index)?;
    let input = graph.nodes[index].input.first()?.clone();
    let output = graph.nodes[index].output.first()?.clone();
    let flatten = graph.only_reader(&output)?;
    if graph.nodes[flatten].op_type != "Flatten" || int(&graph.nodes[flatten], "axis", 1) != 1 {
        return None;
    }
    let gemm = graph.only_reader(graph.nodes[flatten].output.first()?)?;
    let node = &graph.nodes[gemm];
    if node.op_type != "Gemm"
        || !plain_gemm(graph, gemm)
        || node.input.first() != graph.nodes[flatten].output.first()
    {
        return None;
    }
    // A factor for each input column has no place in int8 weights: the normalisation stays.
    let weight = graph.constant(node, 1).filter(|_| !graph.int8.contains_key(&node.input[1]))?;
    let &[first, second] = &*weight.dims else { return None };
    let by_rows = int(node, "transB", 0) != 0;
    let (outputs, columns) = if by_rows { (first, second) } else { (second, first) };
    let channels = affine.scale.len();
    if channels == 0 || columns % channels != 0 {
        return None;
    }
    let area = columns / channels;
    let mut bias = match node.input.get(2).filter(|name| !name.is_empty()) {
        Some(_) => graph
            .constant_f32(node, 2)
            .filter(|b| b.len() == outputs)?
            .iter()
            .map(|&b| f64::from(b))
            .collect(),
        None => vec![0.0_f64; outputs],
    };
    let mut scaled = Vec::with_capacity(outputs * columns);
    for (i, &w) in weight.f32()?.iter().enumerate() {
        let (row, column) = if by_rows { (i / columns, i % columns) } else { (i % outputs, i / outputs) };
        let channel = column / area;
        bias[row] += f64::from(w) * affine.shift[channel];
        scaled.push((f64::from(w) * affine.scale[channel]) as f32);
    }
    let weight = Constant::new_f32(&[first, second], scaled);
    let bias = Constant::new_f32(&[outputs], bias.iter().map(|&b| b as f32).collect());
    set_weights(graph, gemm, weight, bias)?;
    graph.rename_readers(&output, &input);
    graph.nodes.remove(index);
    Some(())
}

/// Whether a Gemm is A B + C, without factors (alpha, beta) and with A not transposed.
fn plain_gemm(graph: &Graph, index: usize) -> bool {
    let node = &graph.nodes[index];
    let unit = |name| (float(node, name, 1.0) - 1.0).abs() < f32::EPSILON;
    int(node, "transA", 0) == 0 && unit("alpha") && unit("beta")
}

/// Gives a node new weights and bias, under new names: another node may read the old ones. `None` where such a name is
/// another's; the node's own, from a normalisation before, is taken again.
fn set_weights(graph: &mut Graph, index: usize, weight: Constant, bias: Constant) -> Option<()> {
    let made = graph.nodes[index].output.first().cloned().unwrap_or_default();
    let names = [format!("{made}.folded_weight"), format!("{made}.folded_bias")];
    if !names.iter().all(|name| graph.is_free(name) || graph.only_reader(name) == Some(index)) {
        return None;
    }
    let node = &mut graph.nodes[index];
    node.input.resize(3, String::new());
    node.input[1].clone_from(&names[0]);
    node.input[2].clone_from(&names[1]);
    let [weight_name, bias_name] = names;
    graph.constants.insert(weight_name, weight);
    graph.constants.insert(bias_name, bias);
    Some(())
}
