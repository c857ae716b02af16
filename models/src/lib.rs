//! The model pack: a folder with `pack.toml` and ONNX files.
//!
//! A pack is trusted only whole. [`Pack::open`] reads the manifest, then every file, and compares its
//! sha256 before anything in it is parsed. What a network wants as input, where it comes from and what
//! its scores mean is data in the [`Manifest`], never code. [`Pack::open_signed`] also wants the manifest to
//! be signed by somebody who is trusted. [`Pack::from_files`] does the same with a pack that a program has compiled in.

#![forbid(unsafe_code)]

mod about;
mod archive;
mod card;
mod error;
mod manifest;
mod pack;
mod recipe;
mod recognisability;
mod role;
mod trust;

pub use about::AboutPack;
pub use archive::{MAX_ENTRIES, bundle, unpack};
pub use card::EmbedderCard;
pub use error::{PackError, Problem};
pub use manifest::{
    Alignment, CalibrationTable, ChannelOrder, GraphFile, Layout, MANIFEST_FILE, MAX_MANIFEST_BYTES,
    Manifest, NetFile, Preprocess,
};
pub use pack::{MAX_NET_BYTES, MAX_SIGNATURE_BYTES, Pack, PackFile, PackNet, sha256_hex};
pub use recipe::{Built, Recipe, RecipeError, RecipeNet};
pub use recognisability::{
    Doubt, MAX_DIRECTIONS, MAX_HEADS, RECOGNITION_GATE, RecognisabilityHead, RecognisabilityTable,
    SharedDirections,
};
pub use role::Role;
pub use trust::{SIGNATURE_FILE, TrustedKey, TrustedKeyError};
