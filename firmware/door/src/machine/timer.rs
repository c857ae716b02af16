//! A delay, as the time that is left of it: no clock that jumps can prolong it.

/// Milliseconds that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Timer(u32);

impl Timer {
    pub(super) const fn of(ms: u32) -> Self {
        Self(ms)
    }

    /// Takes `elapsed_ms` off; whether nothing is left.
    pub(super) fn pass(&mut self, elapsed_ms: u64) -> bool {
        self.0 = u32::try_from(u64::from(self.0).saturating_sub(elapsed_ms)).unwrap_or(0);
        self.0 == 0
    }

    /// What passed beyond the end of a timer of `self`, milliseconds.
    pub(super) const fn beyond(self, elapsed_ms: u64) -> u64 {
        elapsed_ms.saturating_sub(self.0 as u64)
    }
}
