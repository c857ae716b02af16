//! insightface's `.bin` files of pairs: a pickle, of which nothing is executed.

use arcdoor_calib::read_bin;

/// Whatever comes in: an error, or two images within the file for each pair.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(pairs) = read_bin(bytes) {
        assert_eq!(pairs.images.len(), 2 * pairs.same.len());
        assert!(pairs.images.iter().all(|image| image.start <= image.end && image.end <= bytes.len()));
    }
}
