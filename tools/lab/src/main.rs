//! The engineer's binary: evaluation, benches and the making of packs. No device carries it.
#![forbid(unsafe_code)]

mod bench;
mod calibrate;
mod crop;
mod crop_set;
mod crops;
mod degrade;
mod eval;
mod face_finder;
mod features;
mod gate;
mod generate;
mod input_file;
mod limits;
mod pack;
mod parity;
mod part_file;
mod recognise;
mod say;
mod stats;
mod trouble;
mod verify;
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
        what: eval::Eval,
    },
    /// Several packs on the same pairs, from their reports: what they differ in, pair by pair
    Compare(eval::report::compare::CompareArgs),
    /// Reports of evaluations: checked, or set beside each other
    Report {
        #[command(subcommand)]
        what: eval::report::ReportCommand,
    },
    /// A pack's table from false match rate to threshold, with intervals, from photos or scores
    Calibrate(calibrate::CalibrateArgs),
    /// What a pack needs to know embeddings that unlike faces share, from photos that are damaged on purpose
    Recognisability(recognise::Args),
    /// Aligned crops from photos, by the device's own detection and alignment: what the trainer takes
    Crop(crop::CropArgs),
    /// The device's engine against reference features: largest difference, least cosine, latency
    Parity(parity::ParityArgs),
    /// Whether a pack's embedder keeps the limits of LFR's light or large track: a line for each, and 1 where one is broken
    Gate(gate::GateArgs),
    /// Features of nobody in LFR's form, with list and labels, to try protocols on
    Generate(generate::GenerateArgs),
    /// Speed and memory of our own code; `cargo xtask bench` sets the peers beside it
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
    /// Model packs
    Pack {
        #[command(subcommand)]
        what: pack::Pack,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Eval { what } => eval::run(what),
        Command::Compare(args) => eval::report::compare::run(&args),
        Command::Report { what } => eval::report::run_command(what),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Recognisability(args) => recognise::run(&args),
        Command::Crop(args) => crop::run(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Bench { what } => bench::run(what),
        Command::Pack { what } => pack::run(what),
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
