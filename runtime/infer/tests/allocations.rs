//! On the plan, nothing is allocated after start.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use arcdoor_allocations::during_here;
use arcdoor_infer::{EngineChoice, Net, NetSpec};
use common::Builder;

#[test]
fn a_run_allocates_nothing_on_the_plan() {
    let mut b = Builder::new(5);
    let stem = b.conv("x", [3, 20, 1], [3, 3], 2, [1; 4]);
    let active = b.prelu(&stem, 20, 2);
    let deep = b.conv(&active, [20, 20, 20], [3, 3], 1, [1; 4]);
    let normed = b.norm(&deep, 20);
    let sum = b.node("Add", &[&normed, &active], vec![]);
    let pooled = b.node("GlobalAveragePool", &[&sum], vec![]);
    let input = [2, 3, 17, 23];
    let onnx = b.finish(input, &[(&pooled, 4)]);
    let spec = NetSpec { input, outputs: &[&pooled] };
    let count = |choice: EngineChoice| {
        let mut session = Net::load(&onnx, &spec, &choice.into()).unwrap().session().unwrap();
        // The very first run is no exception.
        let ((), allocations) = during_here(|| {
            for value in [0.5, -1.0, 2.0] {
                session.input_mut().fill(value);
                session.run().unwrap();
                assert_eq!(session.output(0).len(), 40);
            }
        });
        allocations.count
    };
    assert_eq!(count(EngineChoice::Plan), 0);
    assert!(count(EngineChoice::Tract) > 0, "the counter counts");
}
