//! The search over all states of a door, and what must hold in each of them.
//!
//! A witness watches from outside: it knows what came in and what came out, and says by rules of its own what the door
//! should be. The search walks every order of events and every class of time (none, up to a deadline, at it, beyond it,
//! far beyond, backwards) until no new pair of door and witness turns up.

pub(crate) mod search;
pub(crate) mod witness;
pub(crate) mod worlds;
