//! Requests, responses and log records as JSON, and the small texts that the device reads: settings, a key's hint.

use arcdoor::home::passphrase::Kdf;
use arcdoor::home::settings::Settings;
use arcdoor_api::{Record, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whatever comes in: an error, or a value that is the same after it was written and read.
pub(crate) fn run(bytes: &[u8]) {
    json::<Request>(bytes);
    json::<Response>(bytes);
    json::<Record>(bytes);
    if let Ok(kdf) = Kdf::from_hint(bytes) {
        assert_eq!(kdf.to_hint(), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(settings) = toml::from_str::<Settings>(text) {
        let written = toml::to_string(&settings).unwrap_or_default();
        assert_eq!(toml::from_str::<Settings>(&written).as_ref(), Ok(&settings));
    }
}

fn json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&value).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<T>(&written).ok(), Some(value));
    }
}
