//! The tracks of LFR2019.

/// Which track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Track {
    /// deepglint: photos.
    Image,
    /// iQIYI: videos.
    Video,
}

impl Track {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Image => "lfr-image",
            Self::Video => "lfr-video",
        }
    }

    /// The false accept rate that ranks entries.
    pub(crate) const fn far(self) -> f64 {
        match self {
            Self::Image => 1e-8,
            Self::Video => 1e-4,
        }
    }
}
