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
    /// Every family that `is_known` says, and the length.
    pub(super) fn all(is_known: impl Fn(Family) -> bool) -> impl Iterator<Item = Self> {
        Family::ALL
            .into_iter()
            .filter(move |family| is_known(*family))
            .map(Self::Family)
            .chain([Self::Length])
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
    /// alike (wrong scale, covered eyes); little where any limit refuses all of it. A family's is also its part in the
    /// choice of the shared directions. Chosen on LFW View 1, DevTrain.
    pub(super) const fn weight(self) -> f64 {
        match self {
            Self::Family(Family::Turn | Family::Grain | Family::Light) => 0.2,
            Self::Family(Family::Small | Family::Blur) | Self::Length => 0.5,
            Self::Family(Family::Scale | Family::Wide | Family::Shear | Family::Bend | Family::Hollow) => 0.7,
            Self::Family(Family::Mask) => 0.9,
            Self::Family(Family::Cover) => 1.0,
            Self::Family(Family::Shift) => 1.5,
            Self::Family(Family::Narrow) => 2.5,
            Self::Family(Family::Glasses) => 2.0,
            Self::Family(Family::Hood) => 5.0,
        }
    }
}
