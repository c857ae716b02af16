//! A frame in, a decision out
