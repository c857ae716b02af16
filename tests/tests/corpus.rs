//! The fuzz targets' inputs as ordinary tests; `cargo xtask fuzz` looks for new ones.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use arcdoor_tests::corpus;

#[path = "../fuzz/bodies/features.rs"]
mod features;
#[path = "../fuzz/bodies/graph.rs"]
mod graph;
#[path = "../fuzz/bodies/image.rs"]
mod image;
#[path = "../fuzz/bodies/log.rs"]
mod log;
#[path = "../fuzz/bodies/message.rs"]
mod message;
#[path = "../fuzz/bodies/network.rs"]
mod network;
#[path = "../fuzz/bodies/pack.rs"]
mod pack;
#[path = "../fuzz/bodies/pairs.rs"]
mod pairs;
#[path = "../fuzz/bodies/plan.rs"]
mod plan;
#[path = "../fuzz/bodies/stored.rs"]
mod stored;

/// Each input, every cut of it and a flip of each of its first bytes; none may panic or take long.
fn replay(target: &str, run: impl Fn(&[u8])) {
    const MOST: usize = 200;
    let mut count = 0;
    for (name, bytes) in corpus(target) {
        let start = Instant::now();
        run(&bytes);
        let step = (bytes.len() / MOST).max(1);
        for at in (0..bytes.len()).step_by(step) {
            run(&bytes[..at]);
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x81;
            run(&flipped);
            count += 2;
        }
        count += 1;
        assert!(start.elapsed() < Duration::from_secs(120), "{target}/{name} took {:?}", start.elapsed());
    }
    let _ = writeln!(std::io::stderr(), "hostile inputs, {target}: {count}");
    assert!(count > 100, "the corpus of {target} is there");
}

#[test]
fn images() {
    replay("image", image::run);
}

#[test]
fn feature_files() {
    replay("features", features::run);
}

#[test]
fn packs() {
    replay("pack", pack::run);
}

#[test]
fn sets_of_pairs() {
    replay("pairs", pairs::run);
}

#[test]
fn logs() {
    replay("log", log::run);
}

#[test]
fn messages() {
    replay("message", message::run);
}

#[test]
fn graphs() {
    replay("graph", graph::run);
}

#[test]
fn networks() {
    replay("network", network::run);
}

/// As [`replay`]; and `run` gets through with the inputs that are named so.
fn replay_good(target: &str, good: &str, run: fn(&[u8]) -> bool) {
    for (name, bytes) in corpus(target) {
        assert!(run(&bytes) || !name.starts_with(good), "{target}/{name} gets through");
    }
    replay(target, |bytes| {
        let _ = run(bytes);
    });
}

#[test]
fn plans() {
    replay_good("plan", "plan-", plan::run);
}

#[test]
fn graph_files() {
    replay_good("stored", "good-", stored::run);
}
