//! A file with changes in it, so that a fuzzer need not draw a whole good one.

/// `file` with each of the `changes`: where (little-endian, `PLACE_BYTES` of them), how many bytes, and the bytes; none cuts
/// the file there.
pub(crate) fn changed<const PLACE_BYTES: usize>(mut file: Vec<u8>, mut changes: &[u8]) -> Vec<u8> {
    while let Some((place, [count, rest @ ..])) = changes.split_first_chunk::<PLACE_BYTES>() {
        let at = place.iter().rev().fold(0, |at, byte| at << 8 | usize::from(*byte));
        let (bytes, rest) = rest.split_at(usize::from(*count).min(rest.len()));
        if bytes.is_empty() {
            file.truncate(at);
        }
        for (place, byte) in file.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
        changes = rest;
    }
    file
}
