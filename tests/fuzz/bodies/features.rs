//! Feature files (LFR, MegaFace, npy) and the lists that go with them.

use arcdoor_calib::{FeatureList, FeatureTable, FeatureWriter, Features, LabelList, read_megaface};

/// Small enough that a table at the limit takes milliseconds.
const LIMIT: u64 = 1 << 20;

/// Whatever comes in: a table within the limits whose values are finite, or an error; a list that stays below its
/// folder, or an error.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(table) = FeatureTable::open(bytes) {
        let mut row = vec![0.0; table.columns()];
        for at in [0, table.rows() - 1] {
            if table.read(at..at + 1, &mut row).is_ok() {
                assert!(row.iter().all(|value| value.is_finite()));
                let mut again = Vec::new();
                let mut writer = FeatureWriter::npy(&mut again, 1, row.len()).unwrap();
                writer.push(&row).unwrap();
                writer.finish().unwrap();
                let mut back = vec![0.0; row.len()];
                FeatureTable::open(&again[..]).unwrap().read(0..1, &mut back).unwrap();
                assert_eq!(row, back);
            }
        }
    }
    // Both readers of LFR's form agree.
    if let Ok(features) = Features::read(bytes, LIMIT) {
        let table = FeatureTable::open(bytes).unwrap();
        assert_eq!((table.rows(), table.columns()), (features.rows(), features.columns()));
    }
    let _ = read_megaface(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        for first_word in [false, true] {
            if let Ok(list) = FeatureList::parse(text, first_word) {
                let folder = std::path::Path::new("/folder");
                assert!(list.names().iter().all(|name| folder.join(name).starts_with(folder)));
                assert!(!list.names().iter().any(|name| name.split('/').any(|part| part == "..")));
            }
        }
        let _ = LabelList::parse(text);
    }
}
