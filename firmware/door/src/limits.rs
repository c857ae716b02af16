//! Every bound of this crate.

/// Subjects that are known to be inside at a time, for anti-passback.
pub const MAX_INSIDE: usize = 512;
/// Windows in each list of a schedule.
pub const MAX_WINDOWS: usize = 16;
/// Holidays of a schedule.
pub const MAX_HOLIDAYS: usize = 64;
/// Actions of one step. The most that the search over all states saw is 11.
pub const MAX_ACTIONS: usize = 32;
/// The shortest delay that a policy may name, milliseconds: a lock's bolt needs about as long.
pub const MIN_DELAY_MS: u32 = 1_000;
/// The longest delay while which a door that nobody opened may be unlocked, or an attempt open, milliseconds.
pub const MAX_DELAY_MS: u32 = 60_000;
/// The longest time that a door may stand open before it is an alarm, milliseconds: one hour.
pub const MAX_HELD_MS: u32 = 3_600_000;
/// How long a denial is shown at the door, milliseconds.
pub const DENIED_SHOWN_MS: u32 = 2_000;
