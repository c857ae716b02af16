//! Damage to faces: what covers, turns, blurs or darkens them on their way to an embedder.
//!
//! Damage works on a crop that is aligned to the ArcFace template; lengths are in pixels of a crop of 112 x 112. [`photo`]
//! does the like to whole photos.

mod colour;
mod cover;
mod damage;
mod draw;
mod family;
mod kinds;
mod light;
pub(crate) mod photo;
mod place;
mod spread;

pub(crate) use damage::Damage;
pub(crate) use draw::draw;
pub(crate) use family::Family;
pub(crate) use kinds::KINDS;
