//! A graph in, numbers out
