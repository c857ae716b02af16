//! Why a graph is not run by the plan.

use arcdoor_kernels::ShapeError;

/// The first thing in a graph that the plan does not run; the whole graph then goes to tract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operator} {node:?}: {why}")]
pub struct Unsupported {
    /// The operator, as tract names it.
    pub operator: String,
    /// The name of its result, as the file or tract calls it; empty for the whole graph.
    pub node: String,
    /// What is wrong with it.
    pub why: Why,
}

impl Unsupported {
    /// A refusal of the graph as a whole, for a reason that lies in no single operator.
    pub(crate) fn whole(why: Why) -> Self {
        Self { operator: "graph".to_owned(), node: String::new(), why }
    }
}

/// What is wrong with an operator, for the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not among the plan's operators.
    #[error("the plan has no such operator")]
    Operator,
    /// An attribute, or a combination of attributes.
    #[error("the plan does not run this `{0}`")]
    Attribute(&'static str),
    /// An input that must be a constant of f32, and is not.
    #[error("its {0} is no plain constant of the right length")]
    Constant(&'static str),
    /// A shape that no channel-blocked map holds, or that does not follow from the shapes of its inputs.
    #[error("its shape does not fit the plan's maps")]
    Dims,
    /// Inputs that the plan cannot combine.
    #[error("it combines tensors that lie differently")]
    Inputs,
    /// An operator that reads a value which no operator before it makes.
    #[error("it reads what nothing before it makes")]
    Order,
    /// More operators, work or memory than a plan may have.
    #[error("it is larger than the plan's bounds")]
    TooLarge,
    /// The kernel refuses the shape.
    #[error("the kernels refuse it: {0}")]
    Kernel(#[from] ShapeError),
}
