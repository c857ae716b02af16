//! int8 weights as files hold them.

/// Weights as int8, which stay so until they are packed: each is its code times its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Codes<'m> {
    /// An i8 in each byte.
    pub(crate) codes: &'m [u8],
    /// Little-endian f32, taken in turn and anew from the first one; at least one.
    pub(crate) scales: &'m [[u8; 4]],
    /// How many codes in a row have one scale; at least 1.
    pub(crate) run: usize,
}

impl<'m> Codes<'m> {
    /// The scale of the code at this place.
    pub(crate) fn scale(self, at: usize) -> f32 {
        let scale = self.scales.get(at / self.run.max(1) % self.scales.len().max(1));
        f32::from_le_bytes(scale.copied().unwrap_or_default())
    }

    /// The weights, in the order of the codes.
    #[cfg(feature = "tract")]
    pub(crate) fn values(self) -> impl Iterator<Item = f32> + 'm {
        let scales = self.scales.iter().map(|&scale| f32::from_le_bytes(scale)).cycle();
        let runs = self.codes.chunks(self.run.max(1)).zip(scales);
        runs.flat_map(|(run, scale)| run.iter().map(move |&code| f32::from(code.cast_signed()) * scale))
    }
}
