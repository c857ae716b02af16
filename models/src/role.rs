//! What the networks of a pack are for.

/// What a network is for. `pack.toml` has a section of the role's name for each network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Finds faces; its landmarks are used as well.
    Detector,
    /// Finds the landmarks of a face. Nothing runs such a network yet, so that a pack that has one is refused.
    Landmarks,
    /// Makes templates.
    Embedder,
}

impl Role {
    /// All roles, in the order in which manifests list them.
    pub const ALL: [Self; 3] = [Self::Detector, Self::Landmarks, Self::Embedder];

    /// The name of its section in `pack.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Landmarks => "landmarks",
            Self::Embedder => "embedder",
        }
    }

    /// Whether this arcdoor runs a network of this role; a pack with one that it does not run is refused.
    #[must_use]
    pub const fn is_run(self) -> bool {
        !matches!(self, Self::Landmarks)
    }

    /// Whether each pack must have a network of this role.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Detector | Self::Embedder)
    }
}
