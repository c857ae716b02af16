//! What a head judges, and how much it may refuse.

use arcdoor_core::RetryReason;

use crate::degrade::Family;

/// What one head judges: a family, or the length alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Family(Family),
    Length,
}

impl Subject {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Family::ALL.into_iter().map(Self::Family).chain([Self::Length])
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Family(family) => family.name(),
            Self::Length => "length",
        }
    }

    pub(super) const fn advice(self) -> RetryReason {
        match self {
            Self::Family(family) => family.advice(),
            Self::Length => RetryReason::NotClear,
        }
    }

    /// Its share of the refused faces, against the others'. More for damage that leaves an embedding long and unlike faces
    /// alike (wrong scale, covered eyes); little where any limit refuses all of it. Chosen on LFW View 1, DevTrain.
    pub(super) const fn weight(self) -> f64 {
        match self {
            Self::Family(Family::Turn | Family::Grain | Family::Light) => 0.2,
            Self::Family(Family::Mask | Family::Small | Family::Cover | Family::Blur) | Self::Length => 0.5,
            Self::Family(Family::Shift) => 1.1,
            Self::Family(Family::Scale | Family::Bend | Family::Hollow) => 1.4,
            Self::Family(Family::Stretch | Family::Hood) => 2.0,
            Self::Family(Family::Glasses) => 4.0,
        }
    }
}
