//! How much of anything there may be.

/// Bytes of a board's file.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Characters of a title or a note in it.
pub const MAX_TEXT: usize = 400;
/// Bytes of a device file's path.
pub const MAX_DEVICE_PATH: usize = 100;
/// Bytes of a chip's label: the kernel keeps 32 with the zero at the end (`GPIO_MAX_NAME_SIZE` in linux/gpio.h).
pub const MAX_CHIP_NAME: usize = 31;
/// The highest offset on a chip; no chip that Linux drives has more lines than this.
pub const MAX_OFFSET: u32 = 1023;
/// The longest debounce. Beyond it a short press would be lost.
pub const MAX_DEBOUNCE_MS: u32 = 500;
/// The longest that a relay's contact may travel; mechanical relays take 5 to 20 ms.
pub const MAX_TRAVEL_MS: u32 = 500;
/// Serial ports of a board.
pub const MAX_SERIAL: usize = 8;
/// Edges that one poll gives; more wait for the next.
pub const MAX_EDGES: usize = 32;
/// Edges of one line that the kernel keeps for us.
pub const KERNEL_EDGES: u32 = 64;
/// What a simulated board remembers of what was driven; the oldest is forgotten.
pub const MAX_DRIVEN: usize = 256;
/// Presses of keys and places that one look gives.
pub const MAX_PRESSES: usize = 32;
/// Thermal zones that are read; a kernel has one for each sensor, tens at most.
pub const MAX_ZONES: usize = 32;
/// Pixels along a panel's longer side.
pub const MAX_PANEL_PX: u32 = 4096;
/// The highest number of a ribbon camera; a Raspberry Pi has two at most, with a multiplexer four.
pub const MAX_CAMERA: u8 = 7;
/// Names of machines for which one board's file is right.
pub const MAX_MACHINES: usize = 8;
