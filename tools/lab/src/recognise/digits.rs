//! Numbers as a table has them.

/// To five digits.
pub(super) fn short(weight: f64) -> f32 {
    format!("{weight:.4e}").parse().unwrap_or(weight as f32)
}
