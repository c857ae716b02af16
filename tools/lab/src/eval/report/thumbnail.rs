//! What a report's page shows of errors, where it was asked to.

/// Photos side by side, such as of a pair that was decided wrong.
pub(crate) struct Thumbnail {
    pub(crate) caption: String,
    /// JPEG or PNG.
    pub(crate) photos: Vec<Vec<u8>>,
}
