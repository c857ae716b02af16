//! Detect, align, assess, embed: from a frame's pixels to a template.
//!
//! ```text
//! RgbView -> Detector -> Face (box) -> Landmarker -> Landmarks5 -> quality::assess -> QualityGate
//!                                                        \-> align::warp -> Embedder -> Template
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`detect`] | the traits [`Detector`] and [`Landmarker`], [`DetectorKind`] and [`DetectSettings`] |
//! | [`yunet`] | YuNet: boxes and five landmarks; also around one face |
//! | [`seetaface`] | SeetaFace (rustface): boxes only, its model compiled in |
//! | [`align`] | the least-squares similarity to the ArcFace template, and the warp along it |
//! | [`quality`] | 0..=100 with named parts, and the gate that turns a weak part into advice |
//! | [`recognisability`] | whether an embedding is one that tells people apart |
//! | [`live`] | an embedding's template, with what it shares with degraded faces and how much of that may count |
//! | [`second_look`](mod@second_look) | whether a face stands upright with its landmarks where they were found |
//! | [`embedder`] | an aligned face in, a [`Template`](arcdoor_core::Template) out |
//! | [`explain`](mod@explain) | which engine runs each network of a pack, and why |
//! | [`graphs`] | how a pack's networks are loaded, and the graph files from which they start |
//! | [`tuning`] | the networks as `arcdoor tune` measures them |
//! | [`mod@vision`] | [`Vision`]: all of it behind one value, with the time that each stage took |
//!
//! After the first frame of a size, nothing here allocates (rustface itself does). What a detector
//! costs follows from its settings: a larger `min_face_px` or a smaller region runs a smaller network.
#![forbid(unsafe_code)]

pub mod align;
pub mod detect;
pub mod embedder;
pub mod error;
pub mod explain;
pub mod graphs;
mod letterbox;
pub mod live;
mod nms;
mod preprocess;
pub mod quality;
pub mod recognisability;
pub mod second_look;
pub mod seetaface;
pub mod tuning;
pub mod vision;
pub mod yunet;

pub use arcdoor_infer::{Engine, EngineChoice, RunOptions, Threads};
pub use detect::{DetectSettings, Detector, DetectorKind, Landmarker};
pub use embedder::Embedder;
pub use error::VisionError;
pub use explain::{Explained, explain};
pub use graphs::{check_pack_graphs, graph_file};
pub use preprocess::Channels;
pub use quality::{Assessment, QualityGate, assess};
pub use recognisability::Recognised;
pub use second_look::{Frontal, SecondLook, SecondLooker};
pub use seetaface::SeetaFace;
pub use vision::Vision;
pub use yunet::{SMALLEST_FACE_NET_PX, YuNet, YuNetLandmarker};
