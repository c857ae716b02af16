//! The engineer's binary: evaluation and benches
