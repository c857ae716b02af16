//! Model packs: making, signing and bundling them.

mod build;
mod sign;
mod source;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Pack {
    /// Make a pack from a recipe and the files that it names
    Build(build::PackBuildArgs),
    /// Make a pair of minisign keys for signing packs
    Keygen(sign::KeygenArgs),
    /// Sign a pack's manifest, and with it every file's hash
    Sign(sign::PackSignArgs),
    /// Write a pack as one file, to be installed on devices
    Bundle(sign::PackBundleArgs),
}

/// Does what is asked.
pub(crate) fn run(what: Pack) -> Result<()> {
    match what {
        Pack::Build(args) => build::run(args),
        Pack::Keygen(args) => sign::keygen(args),
        Pack::Sign(args) => sign::run(args),
        Pack::Bundle(args) => sign::bundle(args),
    }
}
