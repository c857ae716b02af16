//! What a person presents, and which of it is enough.

use crate::text::as_text;
use arcdoor_core::SubjectId;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// One kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// A face that recognition decided about.
    Face,
    /// A card whose number is known.
    Card,
    /// A PIN that was checked against its subject's.
    Pin,
}

/// A credential that was verified outside: this crate takes the verdict, and never sees a template, a number or a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// Recognition granted this subject.
    Face(SubjectId),
    /// This subject's card.
    Card(SubjectId),
    /// This subject's PIN.
    Pin {
        /// Whose it is.
        subject: SubjectId,
        /// Whether it is the one that says "under duress". The door does what it does for the other one.
        duress: bool,
    },
    /// A face that recognition denied, a card that nobody has, a PIN that is wrong.
    Unknown(Factor),
}

impl Credential {
    /// What kind it is.
    #[must_use]
    pub const fn factor(self) -> Factor {
        match self {
            Self::Face(_) => Factor::Face,
            Self::Card(_) => Factor::Card,
            Self::Pin { .. } => Factor::Pin,
            Self::Unknown(factor) => factor,
        }
    }

    /// Whose it is; `None`: nobody's.
    #[must_use]
    pub const fn subject(self) -> Option<SubjectId> {
        match self {
            Self::Face(subject) | Self::Card(subject) | Self::Pin { subject, .. } => Some(subject),
            Self::Unknown(_) => None,
        }
    }

    /// Whether it says that its subject acts under duress.
    #[must_use]
    pub const fn is_duress(self) -> bool {
        matches!(self, Self::Pin { duress: true, .. })
    }
}

/// Several kinds of credential of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Factors(u8);

impl Factors {
    /// Only this one.
    #[must_use]
    pub const fn only(factor: Factor) -> Self {
        Self(1 << factor as u8)
    }

    /// With another one.
    #[must_use]
    pub const fn with(self, factor: Factor) -> Self {
        Self(self.0 | 1 << factor as u8)
    }

    /// Whether `factor` is among them.
    #[must_use]
    pub const fn has(self, factor: Factor) -> bool {
        self.0 & (1 << factor as u8) != 0
    }

    /// Whether all of `other` are among them.
    #[must_use]
    pub const fn has_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A way to prove who one is: one factor, or two of the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A face alone: weak, until attack figures say otherwise.
    Face,
    /// A card alone.
    Card,
    /// A PIN alone.
    Pin,
    /// Face and PIN.
    FacePin,
    /// Card and face.
    CardFace,
    /// Card and PIN.
    CardPin,
}

impl Method {
    /// All methods; of several that are complete, the first is the one that is named.
    pub const ALL: [Self; 6] =
        [Self::CardFace, Self::FacePin, Self::CardPin, Self::Face, Self::Card, Self::Pin];

    /// What it takes.
    #[must_use]
    pub const fn factors(self) -> Factors {
        match self {
            Self::Face => Factors::only(Factor::Face),
            Self::Card => Factors::only(Factor::Card),
            Self::Pin => Factors::only(Factor::Pin),
            Self::FacePin => Factors::only(Factor::Face).with(Factor::Pin),
            Self::CardFace => Factors::only(Factor::Card).with(Factor::Face),
            Self::CardPin => Factors::only(Factor::Card).with(Factor::Pin),
        }
    }

    /// How settings write it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Card => "card",
            Self::Pin => "pin",
            Self::FacePin => "face+pin",
            Self::CardFace => "card+face",
            Self::CardPin => "card+pin",
        }
    }
}

/// Why a text names no methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "methods are a list such as \"card+face, card+pin\", of face, card, pin, face+pin, card+face, card+pin; or \"none\""
)]
pub struct MethodsError;

/// The methods that are enabled: each is enough by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Methods(u8);

impl Methods {
    /// No method.
    pub const NONE: Self = Self(0);

    /// These methods.
    #[must_use]
    pub fn of(methods: &[Method]) -> Self {
        Self(methods.iter().fold(0, |bits, method| bits | 1 << *method as u8))
    }

    /// Whether `method` is among them.
    #[must_use]
    pub const fn has(self, method: Method) -> bool {
        self.0 & (1 << method as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in one of the two.
    #[must_use]
    pub const fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Each of them, in the order of [`Method::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.has(*method))
    }

    /// Whether one of them takes `factor`.
    #[must_use]
    pub fn take(self, factor: Factor) -> bool {
        self.iter().any(|method| method.factors().has(factor))
    }

    /// The first method that `factors` complete, of those that take `last`, the factor that was presented last: a
    /// method that became enough in the meantime waits for its own.
    #[must_use]
    pub fn completed_by(self, factors: Factors, last: Factor) -> Option<Method> {
        self.iter()
            .map(|method| (method, method.factors()))
            .find_map(|(method, needed)| (needed.has(last) && factors.has_all(needed)).then_some(method))
    }
}

impl FromStr for Methods {
    type Err = MethodsError;

    fn from_str(text: &str) -> Result<Self, MethodsError> {
        if text.trim() == "none" {
            return Ok(Self::NONE);
        }
        text.split(',').try_fold(Self::NONE, |methods, name| {
            let method = Method::ALL.into_iter().find(|method| method.text() == name.trim());
            method.map(|method| methods.either(Self::of(&[method]))).ok_or(MethodsError)
        })
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, method) in self.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "," }, method.text())?;
        }
        Ok(())
    }
}

as_text!(Methods);
