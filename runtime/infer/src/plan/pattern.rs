//! PReLU, as exporters and our own rewriting spell it.

use std::collections::BTreeMap;

use tract_onnx::pb::NodeProto;

use crate::onnx::{Numbers, Opened};

/// A parametric ReLU of `x`: the names of its input and of its slopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prelu<'a> {
    pub(super) x: &'a str,
    pub(super) slopes: &'a str,
}

/// Who makes what, in a decoded graph.
pub(super) struct Makers<'a> {
    pub(super) opened: &'a Opened<'a>,
    pub(super) by_name: BTreeMap<&'a str, usize>,
}

impl<'a> Makers<'a> {
    /// `None` where two nodes make the same name.
    pub(super) fn new(opened: &'a Opened<'a>) -> Option<Self> {
        let mut by_name = BTreeMap::new();
        for (index, node) in opened.nodes.iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                let taken = opened.constants.contains_key(name) || opened.inputs.contains(name);
                if taken || by_name.insert(&**name, index).is_some() {
                    return None;
                }
            }
        }
        Some(Self { opened, by_name })
    }

    fn maker(&self, name: &str, operator: &str) -> Option<&'a NodeProto> {
        let node = self.opened.nodes.get(*self.by_name.get(name)?)?;
        (node.op_type == operator && node.output.len() == 1).then_some(node)
    }

    fn f32(&self, name: &str) -> Option<&'a [f32]> {
        match &self.opened.constants.get(name)?.numbers {
            Numbers::F32(values) => Some(values),
            _ => None,
        }
    }

    /// `(x, a)` where `name` is x times the constant a.
    fn scaled(&self, name: &str) -> Option<(&'a str, &'a str)> {
        let [a, b] = &*self.maker(name, "Mul")?.input else { return None };
        match (self.f32(a), self.f32(b)) {
            (None, Some(_)) => Some((a, b)),
            (Some(_), None) => Some((b, a)),
            _ => None,
        }
    }

    fn only_input(&self, name: &str, operator: &str) -> Option<&'a str> {
        let [x] = &*self.maker(name, operator)?.input else { return None };
        Some(x)
    }

    fn is_zero(&self, name: &str) -> bool {
        matches!(self.f32(name), Some(&[value]) if value == 0.0)
    }

    /// The PReLU that ends in `node`.
    pub(super) fn prelu(&self, node: &'a NodeProto) -> Option<Prelu<'a>> {
        match (&*node.op_type, &*node.input) {
            ("PRelu", [x, slopes]) => Some(Prelu { x, slopes }),
            ("Max", [a, b]) => self.prelu_max(a, b).or_else(|| self.prelu_max(b, a)),
            ("Sub", [above, scaled]) => {
                // relu(x) - a relu(-x)
                let x = self.only_input(above, "Relu")?;
                let (below, slopes) = self.scaled(scaled)?;
                let negated = self.only_input(below, "Relu")?;
                (self.only_input(negated, "Neg")? == x).then_some(Prelu { x, slopes })
            }
            ("Where", [condition, yes, no]) => {
                let compared = |operator| {
                    let [x, zero] = &*self.maker(condition, operator)?.input else { return None };
                    self.is_zero(zero).then_some(&**x)
                };
                let (x, scaled, kept) = match compared("Greater").or_else(|| compared("GreaterOrEqual")) {
                    Some(x) => (x, no, yes),
                    None => (compared("Less").or_else(|| compared("LessOrEqual"))?, yes, no),
                };
                let (y, slopes) = self.scaled(scaled)?;
                (x == y && x == kept).then_some(Prelu { x, slopes })
            }
            _ => None,
        }
    }

    /// max(x, a x), which is a PReLU for no slope above 1.
    fn prelu_max(&self, x: &'a str, scaled: &str) -> Option<Prelu<'a>> {
        let (y, slopes) = self.scaled(scaled)?;
        let gentle = self.f32(slopes)?.iter().all(|&slope| slope <= 1.0);
        (x == y && gentle).then_some(Prelu { x, slopes })
    }
}
