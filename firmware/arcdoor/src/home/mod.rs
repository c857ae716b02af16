//! The one folder that holds all state, and its files.
//!
//! | file | holds |
//! |---|---|
//! | `settings.toml` | what the installer chose; see [`settings`] |
//! | `gallery.redb` | the enrolled templates, sealed |
//! | `gallery.key` | the gallery's key, where nothing stronger is used; see [`keys`] |
//! | `key-source` | where that key must come from; see [`pin`] |
//! | `probes.bin` | sealed probes of the newest grants, where the settings ask for them; see [`probes`] |
//! | `observations.bin` | what was observed before the newest decisions; see [`observations`], and [`capsule`] for how it is handed on |
//! | `log/` | decisions and operators' acts, sealed; see `arcdoor_log` |
//! | `lockout.json` | the lockout, and denials that lead to one; see [`lockout`] |
//! | `door.json` | who is inside, a lockdown, alarms; see [`door`] |
//! | `pins.json` | hashed PINs, and how often one was wrong; see [`pin_book`] |
//! | `last-words` | why the program ended itself; see [`door`] |
//! | `socket` | where a running door listens, unless `ARCDOOR_SOCKET` says otherwise |
//! | `tally.json` | attempts and reported wrong grants; see [`tally`] |
//! | `tuning.toml` | tiles that were measured on this device; see [`tuning`] |
//! | `packs/NAME/` | installed packs, and `NAME@before`, which one replaced; see [`packs`], and [`choice`] for which one is in use |
//! | `pack-versions.toml` | the highest version of each that was ever installed; see [`versions`] |

pub mod capsule;
pub mod choice;
pub mod door;
pub mod embedded;
pub mod file;
#[expect(clippy::module_inception, reason = "the folder is the module's one noun")]
mod home;
pub mod keys;
pub mod lock;
pub mod lockout;
pub mod observations;
pub mod pack_line;
pub mod packs;
pub mod passphrase;
pub mod pin;
pub mod pin_book;
pub mod probes;
pub mod settings;
pub mod tally;
pub mod tuning;
pub mod versions;

pub use home::Home;
