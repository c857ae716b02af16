//! Which embedder made a template, which table a threshold was taken from, and which gallery a subject's number is of.

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id of these 16 bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// From 32 hexadecimal digits of either case; `None` for any other text.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.len() != 32 {
                    return None;
                }
                let mut bytes = [0; 16];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let high = char::from(pair[0]).to_digit(16)?;
                    let low = char::from(pair[1]).to_digit(16)?;
                    *byte = u8::try_from(high * 16 + low).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = heapless::String::<32>::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| D::Error::custom("expected 32 hexadecimal digits"))
            }
        }
    };
}

hash_id! {
    /// Identity of an embedder: the first 16 bytes of a SHA-256 over its file's hash and everything in the manifest
    /// that changes what it computes. Templates of different ids are never compared.
    ModelId
}
hash_id! {
    /// Identity of a calibration table: the first 16 bytes of a SHA-256 over what it says of its data, and its rows.
    CalibrationId
}
hash_id! {
    /// Identity of a gallery, 16 random bytes: subjects' numbers of two galleries have nothing to do with each other.
    GalleryId
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn hex_round_trips_and_bad_hex_is_refused() {
        let id = ModelId::new(core::array::from_fn(|i| i as u8 * 17));
        assert_eq!(ModelId::from_hex(&id.to_string()), Some(id));
        assert_eq!(ModelId::from_hex("00"), None);
        assert_eq!(ModelId::from_hex("g0112233445566778899aabbccddeeff"), None);
        assert_eq!(ModelId::from_hex("é112233445566778899aabbccddeeff"), None);
    }
}
