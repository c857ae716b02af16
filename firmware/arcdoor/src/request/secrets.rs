//! What comes with a request and no log or trace may hold.

use crate::home::passphrase::Passphrase;
use arcdoor_log::VerificationKey;

/// Passphrases and keys that came with a request.
#[derive(Debug, Default)]
pub struct Secrets {
    /// What a gallery or an export is to be sealed with.
    pub new: Option<Passphrase>,
    /// What opens the file that is to be imported.
    pub file: Option<Passphrase>,
    /// What the log is verified with.
    pub log_key: Option<VerificationKey>,
}
