//! The boards that come with this program.

/// Name and text of each, as in the folder boards/.
pub const BOARDS: [(&str, &str); 7] = [
    ("simulated", include_str!("../boards/simulated.toml")),
    ("raspberry-pi-zero-2-w", include_str!("../boards/raspberry-pi-zero-2-w.toml")),
    ("raspberry-pi-3", include_str!("../boards/raspberry-pi-3.toml")),
    ("raspberry-pi-4", include_str!("../boards/raspberry-pi-4.toml")),
    ("raspberry-pi-5", include_str!("../boards/raspberry-pi-5.toml")),
    ("radxa-rock-3c", include_str!("../boards/radxa-rock-3c.toml")),
    ("radxa-rock-5b", include_str!("../boards/radxa-rock-5b.toml")),
];

/// Their names, for a text.
pub(crate) fn names() -> String {
    BOARDS.map(|(name, _)| name).join(", ")
}
