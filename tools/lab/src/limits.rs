//! How large files may be that people and other programs hand to the lab. `docs/limits.md` has the same numbers.

/// A list of pairs, names, people or boxes, in bytes: millions of lines.
pub(crate) const MAX_LIST_BYTES: u64 = 256 << 20;
/// A small file, in bytes: an index.json of networks, the dataset.toml of a set of crops, what /proc says of a process.
pub(crate) const MAX_SMALL_BYTES: u64 = 1 << 20;
/// The journal of a set of crops, in bytes.
pub(crate) const MAX_JOURNAL_BYTES: u64 = 4 << 30;
/// A `.bin` of pairs, in bytes.
pub(crate) const MAX_BIN_BYTES: u64 = 4 << 30;
/// Reference features, in bytes.
pub(crate) const MAX_REFERENCE_BYTES: u64 = 1 << 30;
/// Rows of one subject that are compared.
pub(crate) const MAX_ROWS_OF_SUBJECT: usize = 65_536;
/// A list of IJB, in bytes: 15.6 million pairs.
pub(crate) const MAX_PAIR_LIST_BYTES: u64 = 1 << 30;
/// The first line of a file of counts, in bytes: hits and runs of units.
pub(crate) const MAX_COUNTS_HEAD_BYTES: u64 = 256 << 20;
/// A minisign secret key, in bytes.
pub(crate) const MAX_KEY_BYTES: u64 = 4 << 10;
/// A recipe or a card, in bytes: a manifest is made of them.
pub(crate) const MAX_RECIPE_BYTES: u64 = arcdoor_models::MAX_MANIFEST_BYTES;
/// A network before it is rewritten, in bytes.
pub(crate) const MAX_ONNX_BYTES: u64 = arcdoor_infer::MAX_ONNX_BYTES as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_constants_say() {
        let page = include_str!("../../../docs/limits.md");
        let row = page.lines().find(|line| line.starts_with("| files of the lab: ")).unwrap();
        let said = row.split(" | ").nth(1).unwrap();
        let [list, small, key] = [MAX_LIST_BYTES >> 20, MAX_SMALL_BYTES >> 20, MAX_KEY_BYTES >> 10];
        let [journal, bin, reference] =
            [MAX_JOURNAL_BYTES, MAX_BIN_BYTES, MAX_REFERENCE_BYTES].map(|most| most >> 30);
        let recipe = MAX_RECIPE_BYTES >> 10;
        let expected = format!(
            "{list} MiB; {journal} GiB; {bin} GiB; {reference} GiB; {recipe} KiB; {key} KiB; {small} MiB"
        );
        assert_eq!(said, expected);
        let [pairs, counts] = [MAX_PAIR_LIST_BYTES >> 30, MAX_COUNTS_HEAD_BYTES >> 20];
        let expected = format!("{pairs} GiB; {counts} MiB; 65,536");
        assert_eq!(MAX_ROWS_OF_SUBJECT, 65_536);
        let row = page.lines().find(|line| line.starts_with("| a list of IJB; ")).unwrap();
        assert_eq!(row.split(" | ").nth(1).unwrap(), expected);
    }
}
