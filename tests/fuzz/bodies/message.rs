//! The service's messages as JSON, and the small texts that the device reads: settings, a site's calibration, a
//! key's hint.

use arcdoor::home::passphrase::Kdf;
use arcdoor::home::settings::Settings;
use arcdoor::home::site::SiteTable;
use arcdoor::{Request, Response};
use arcdoor_core::{Basis, Calibration, CalibrationId, CalibrationRow, Fmr, ModelId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whatever comes in: an error, or a value that is the same after it was written and read.
pub(crate) fn run(bytes: &[u8]) {
    json::<Request>(bytes);
    json::<Response>(bytes);
    if let Ok(kdf) = Kdf::from_hint(bytes) {
        assert_eq!(kdf.to_hint(), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(settings) = toml::from_str::<Settings>(text) {
        let written = toml::to_string(&settings).unwrap_or_default();
        assert_eq!(toml::from_str::<Settings>(&written).as_ref(), Ok(&settings));
    }
    if let Ok(table) = toml::from_str::<SiteTable>(text) {
        raises_or_refuses(&table);
    }
}

/// Whatever a table holds, no threshold comes out laxer than it went in.
fn raises_or_refuses(table: &SiteTable) {
    let row = |rate, threshold, tmr| {
        let fmr = Fmr::new(rate).ok()?;
        Some(CalibrationRow { fmr, threshold, fmr_low: rate, fmr_high: rate, tmr, basis: Basis::Counted })
    };
    let rows: Vec<_> = [row(1e-3, 0.3, 0.9), row(1e-4, 0.5, 0.8)].into_iter().flatten().collect();
    for model_id in [ModelId::new([1; 16]), table.model_id] {
        let Ok(pack) = Calibration::new(model_id, CalibrationId::new([2; 16]), &rows) else { return };
        if let Ok(raised) = table.raise(&pack, CalibrationId::new([3; 16]), true) {
            let mut pairs = raised.rows().iter().zip(pack.rows());
            assert!(pairs.all(|(after, before)| after.threshold >= before.threshold));
        }
    }
}

fn json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&value).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<T>(&written).ok(), Some(value));
    }
}
