//! Speed and memory, beside the peers.

mod count;
pub(crate) mod footprint;
mod frame;
mod kernels;
mod matching;
mod nets;
mod peer;
mod peer_process;
mod profile;
pub(crate) mod race;
mod row;
mod start;
mod verify;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Each stage once, between marks that an instruction counter sees: `cargo xtask bench arm` reads them
    Count(count::BenchCountArgs),
    /// The way of a frame, stage by stage
    Frame(frame::BenchFrameArgs),
    /// The machine's limits, and single operators beside the peers
    Kernels(kernels::BenchKernelsArgs),
    /// The gallery's matcher
    Match(matching::BenchMatchArgs),
    /// Everybody against everybody, beside numpy and faiss
    Verify(verify::BenchVerifyArgs),
    /// Whole networks: the plan and tract beside the peers
    Nets(nets::BenchNetsArgs),
    /// From the start of a process to the first result, by part, and memory over the weights
    Start(start::BenchStartArgs),
    /// Where a plan's time goes: each step's measured time beside its prediction
    Profile(profile::BenchProfileArgs),
}

/// Runs one.
pub(crate) fn run(what: Bench) -> Result<()> {
    match what {
        Bench::Count(args) => count::run(&args),
        Bench::Frame(args) => frame::run(args),
        Bench::Kernels(args) => kernels::run(&args),
        Bench::Match(args) => matching::run(args),
        Bench::Nets(args) => nets::run(&args),
        Bench::Verify(args) => verify::run(&args),
        Bench::Start(args) => start::run(&args),
        Bench::Profile(args) => profile::run(&args),
    }
}
