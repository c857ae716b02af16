//! A second thread changes how long a network takes, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use arcdoor_infer::{EngineChoice, Net, NetSpec, RunOptions, Threads};
use common::Builder;

/// All kinds of steps, large enough to be shared between threads, in shapes that do not halve evenly.
fn onnx(input: [usize; 4]) -> (Vec<u8>, String) {
    let mut b = Builder::new(11);
    let stem = b.conv("x", [3, 40, 1], [3, 3], 1, [1; 4]);
    let active = b.prelu(&stem, 40, 2);
    let deep = b.conv(&active, [40, 40, 40], [3, 3], 1, [1; 4]);
    let mixed = b.conv(&deep, [40, 52, 1], [1, 1], 1, [0; 4]);
    let square = b.conv(&mixed, [52, 52, 1], [3, 3], 1, [1; 4]);
    let sum = b.node("Add", &[&square, &mixed], vec![]);
    let small = b.conv(&sum, [52, 70, 1], [3, 3], 2, [1; 4]);
    (b.finish(input, &[(&small, 4)]), small)
}

fn load(onnx: &[u8], input: [usize; 4], output: &str, threads: Threads) -> Net {
    let options = RunOptions { threads, ..EngineChoice::Plan.into() };
    Net::load(onnx, &NetSpec { input, outputs: &[output] }, &options).unwrap()
}

#[test]
fn two_threads_give_the_bits_of_one() {
    let input = [2, 3, 61, 53];
    let (onnx, out) = onnx(input);
    let [one, two] = [Threads::One, Threads::Two].map(|threads| load(&onnx, input, &out, threads));
    // One of the steps is a chain.
    assert!(one.steps().iter().any(|step| step.operators.contains('>')));
    let mut sessions = [one.session().unwrap(), two.session().unwrap()];
    for round in 0..20_u32 {
        let bits = sessions.each_mut().map(|session| {
            for (i, value) in session.input_mut().iter_mut().enumerate() {
                *value =
                    ((i as u32).wrapping_mul(2_654_435_761 + round) >> 8) as f32 / (1 << 23) as f32 - 1.0;
            }
            session.run().unwrap();
            session.output(0).iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        });
        assert!(!bits[0].is_empty() && bits[0] == bits[1], "round {round}");
    }
}

#[test]
fn sessions_of_one_thread_share_a_helper_that_ends_with_it() {
    let input = [1, 3, 40, 40];
    let (onnx, out) = onnx(input);
    let net = load(&onnx, input, &out, Threads::Two);
    let run = || {
        let mut sessions = [(); 3].map(|()| net.session().unwrap());
        sessions.each_mut().map(|session| {
            session.input_mut().fill(0.25);
            session.run().unwrap();
            session.output(0).to_vec()
        })
    };
    let [a, b, c] = run();
    assert!(a == b && b == c);
    // A thread's helper ends with it; the next thread gets a helper of its own.
    for _ in 0..3 {
        assert_eq!(std::thread::scope(|scope| scope.spawn(run).join().unwrap())[0], a);
    }
}
