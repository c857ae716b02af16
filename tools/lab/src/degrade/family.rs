//! Families of damage.

use arcdoor_core::RetryReason;

/// Damage of one cause. What is said of a kind is also measured without its family, as if nobody had thought of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// Turned in the image's plane.
    Turn,
    /// Landmarks beside their places: shifted.
    Shift,
    /// Landmarks too near to, or too far from, each other.
    Scale,
    /// Squeezed from the sides, or drawn high: no similarity brings the face back. One head knows one side of the middle
    /// alone, so that narrow and wide are two families.
    Narrow,
    /// Squeezed from above, or drawn wide.
    Wide,
    /// Slanted.
    Shear,
    /// Bent, as by a lens or on paper that is not flat.
    Bend,
    /// Bent the other way: the middle is drawn smaller.
    Hollow,
    /// A mask over mouth and nose.
    Mask,
    /// Sunglasses, with or without a mask.
    Glasses,
    /// A hood or a cap: the outline is gone.
    Hood,
    /// A hand, or anything else before the face.
    Cover,
    /// Out of focus or moving.
    Blur,
    /// Too few pixels.
    Small,
    /// Dark, burnt out, foggy, lit from the side, or in other colours.
    Light,
    /// Noise, and coarse coding or printing.
    Grain,
}

impl Family {
    pub(crate) const ALL: [Self; 16] = [
        Self::Turn,
        Self::Shift,
        Self::Scale,
        Self::Narrow,
        Self::Wide,
        Self::Shear,
        Self::Bend,
        Self::Hollow,
        Self::Mask,
        Self::Glasses,
        Self::Hood,
        Self::Cover,
        Self::Blur,
        Self::Small,
        Self::Light,
        Self::Grain,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Shift => "shift",
            Self::Scale => "scale",
            Self::Narrow => "narrow",
            Self::Wide => "wide",
            Self::Shear => "shear",
            Self::Bend => "bend",
            Self::Hollow => "hollow",
            Self::Mask => "mask",
            Self::Glasses => "glasses",
            Self::Hood => "hood",
            Self::Cover => "cover",
            Self::Blur => "blur",
            Self::Small => "small",
            Self::Light => "light",
            Self::Grain => "grain",
        }
    }

    /// What a person can do about it.
    pub(crate) const fn advice(self) -> RetryReason {
        match self {
            Self::Turn | Self::Shift | Self::Scale => RetryReason::HoldUpright,
            Self::Mask | Self::Glasses | Self::Hood | Self::Cover => RetryReason::Covered,
            Self::Blur => RetryReason::HoldStill,
            Self::Small => RetryReason::TooFar,
            Self::Narrow
            | Self::Wide
            | Self::Shear
            | Self::Bend
            | Self::Hollow
            | Self::Light
            | Self::Grain => RetryReason::NotClear,
        }
    }

    /// Whether whoever did not think of this family did not think of `other` either.
    pub(crate) fn is_kin(self, other: Self) -> bool {
        let group = |family| match family {
            Self::Glasses => Self::Mask,
            Self::Narrow | Self::Wide => Self::Shear,
            Self::Hollow => Self::Bend,
            other => other,
        };
        group(self) == group(other)
    }
}
