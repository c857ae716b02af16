//! The engineer's binary: evaluation, benches and the making of packs. No device carries it.

mod allocations;
mod bench_count;
mod bench_frame;
mod bench_kernels;
mod bench_match;
mod bench_nets;
mod bench_profile;
mod bench_start;
mod calibrate;
mod calibrate_report;
mod calibrate_rows;
mod crop;
mod crop_set;
mod crops;
mod det;
mod eval_gallery;
mod eval_lfw;
mod eval_scenes;
mod features;
mod fillers;
mod footprint;
mod lfw;
mod pack_build;
mod pack_sign;
mod parity;
mod peer;
mod peer_process;
mod race;
mod say;
mod scenes;
mod score_file;
mod sight;
mod stats;
mod templates;
mod trouble;
mod workers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Evaluate, measure, and build model packs.
///
/// Exit codes: 0 done; 1 failed, or out of tolerance; 2 wrong usage; 3 bad input; 4 pack refused; 5 file trouble.
#[derive(Parser)]
#[command(name = "arcdoor-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Accuracy of the whole path on real photos
    Eval {
        #[command(subcommand)]
        what: Eval,
    },
    /// A pack's table from false match rate to threshold, with intervals, from photos or scores
    Calibrate(calibrate::CalibrateArgs),
    /// Aligned crops from photos, by the device's own detection and alignment: what the trainer takes
    Crop(crop::CropArgs),
    /// The device's engine against reference features: largest difference, least cosine, latency
    Parity(parity::ParityArgs),
    /// Speed and memory of our own code; `cargo xtask bench` sets the peers beside it
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Model packs
    Pack {
        #[command(subcommand)]
        what: Pack,
    },
}

#[derive(Subcommand)]
enum Eval {
    /// Labelled Faces in the Wild: verification on the given pairs and on all pairs
    Lfw(eval_lfw::EvalLfwArgs),
    /// Strangers and enrolled people at galleries of several sizes, the threshold from a target
    Gallery(eval_gallery::EvalGalleryArgs),
    /// Ordinary photos of several people: faces found and missed, people identified among strangers
    Scenes(eval_scenes::EvalScenesArgs),
}

#[derive(Subcommand)]
enum Bench {
    /// Each stage once, between marks that an instruction counter sees: `cargo xtask bench arm` reads them
    Count(bench_count::BenchCountArgs),
    /// The way of a frame, stage by stage
    Frame(bench_frame::BenchFrameArgs),
    /// The machine's limits, and single operators beside the peers
    Kernels(bench_kernels::BenchKernelsArgs),
    /// The gallery's matcher
    Match(bench_match::BenchMatchArgs),
    /// Whole networks: the plan and tract beside the peers
    Nets(bench_nets::BenchNetsArgs),
    /// From the start of a process to the first result, by part, and memory over the weights
    Start(bench_start::BenchStartArgs),
    /// Where a plan's time goes: each step's measured time beside its prediction
    Profile(bench_profile::BenchProfileArgs),
}

#[derive(Subcommand)]
enum Pack {
    /// Make a pack from a recipe and the files that it names
    Build(pack_build::PackBuildArgs),
    /// Make a pair of minisign keys for signing packs
    Keygen(pack_sign::KeygenArgs),
    /// Sign a pack's manifest, and with it every file's hash
    Sign(pack_sign::PackSignArgs),
    /// Write a pack as one file, to be installed on devices
    Bundle(pack_sign::PackBundleArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Eval { what: Eval::Lfw(args) } => eval_lfw::run(args),
        Command::Eval { what: Eval::Gallery(args) } => eval_gallery::run(args),
        Command::Eval { what: Eval::Scenes(args) } => eval_scenes::run(args),
        Command::Crop(args) => crop::run(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Bench { what: Bench::Count(args) } => bench_count::run(&args),
        Command::Bench { what: Bench::Frame(args) } => bench_frame::run(args),
        Command::Bench { what: Bench::Kernels(args) } => bench_kernels::run(&args),
        Command::Bench { what: Bench::Match(args) } => bench_match::run(args),
        Command::Bench { what: Bench::Nets(args) } => bench_nets::run(&args),
        Command::Bench { what: Bench::Start(args) } => bench_start::run(&args),
        Command::Bench { what: Bench::Profile(args) } => bench_profile::run(&args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Pack { what: Pack::Build(args) } => pack_build::run(args),
        Command::Pack { what: Pack::Keygen(args) } => pack_sign::keygen(args),
        Command::Pack { what: Pack::Sign(args) } => pack_sign::run(args),
        Command::Pack { what: Pack::Bundle(args) } => pack_sign::bundle(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if say::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(trouble::Trouble::code_of(&error))
        }
    }
}
