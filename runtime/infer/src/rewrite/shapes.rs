//! Arithmetic on small constants of i64, from which exporters put shapes together, is done here.

use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::graph::{Constant, Graph, Values};
use crate::error::InferError;
use crate::onnx::node::int;

/// Most values of such a constant: a shape has as many as a tensor has axes.
const MAX_VALUES: usize = 64;

/// Computes the nodes that read nothing else; returns how many.
pub(super) fn fold(graph: &mut Graph) -> Result<usize, InferError> {
    graph.replace(|graph, node| Ok(folded(graph, node)))
}

/// A scalar, or a list.
struct Whole<'a> {
    is_list: bool,
    values: &'a [i64],
}

fn folded(graph: &Graph, node: &NodeProto) -> Option<Constant> {
    let read = |name: &String| {
        let constant = graph.constants.get(name)?;
        let values = constant.i64().filter(|values| values.len() <= MAX_VALUES)?;
        (constant.dims.len() <= 1).then_some(Whole { is_list: constant.dims.len() == 1, values })
    };
    let inputs: Vec<Whole<'_>> = node.input.iter().map(read).collect::<Option<_>>()?;
    let (is_list, values) = match (&*node.op_type, &*inputs) {
        ("Concat", parts) if int(node, "axis", 0) == 0 && parts.iter().all(|part| part.is_list) => {
            (true, parts.iter().flat_map(|part| part.values).copied().collect())
        }
        ("Gather", [from, at]) if from.is_list && int(node, "axis", 0) == 0 => {
            (at.is_list, gathered(from, at)?)
        }
        ("Unsqueeze", [scalar] | [scalar, _]) if !scalar.is_list => (true, scalar.values.to_vec()),
        ("Squeeze", [list] | [list, _]) if list.values.len() == 1 => (false, list.values.to_vec()),
        ("Cast", [same]) if int(node, "to", 0) == DataType::Int64 as i64 => {
            (same.is_list, same.values.to_vec())
        }
        ("Add", [a, b]) => (a.is_list || b.is_list, joined(a, b, i64::checked_add)?),
        ("Sub", [a, b]) => (a.is_list || b.is_list, joined(a, b, i64::checked_sub)?),
        ("Mul", [a, b]) => (a.is_list || b.is_list, joined(a, b, i64::checked_mul)?),
        _ => return None,
    };
    let dims = if is_list { vec![values.len()] } else { Vec::new() };
    (values.len() <= MAX_VALUES).then_some(Constant { dims, values: Values::I64(values) })
}

fn gathered(from: &Whole<'_>, at: &Whole<'_>) -> Option<Vec<i64>> {
    let count = from.values.len() as i64;
    let index = |&at: &i64| usize::try_from(if at < 0 { at + count } else { at }).ok();
    at.values.iter().map(|at| from.values.get(index(at)?).copied()).collect()
}

/// Value by value; one of the two may have a single one.
fn joined(a: &Whole<'_>, b: &Whole<'_>, join: fn(i64, i64) -> Option<i64>) -> Option<Vec<i64>> {
    match (a.values, b.values) {
        (a, &[b]) => a.iter().map(|&a| join(a, b)).collect(),
        (&[a], b) => b.iter().map(|&b| join(a, b)).collect(),
        (a, b) if a.len() == b.len() => a.iter().zip(b).map(|(&a, &b)| join(a, b)).collect(),
        _ => None,
    }
}
