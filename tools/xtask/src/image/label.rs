//! What an image says of itself, in the sectors between the table of partitions and a loader: whoever holds the card or the
//! file alone can tell what it is, and whether all of it is there.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::layout::{MAX_BYTES, SECTOR};

/// Where it stands.
pub(crate) const AT: u64 = SECTOR;
/// The room that it has.
pub(crate) const BYTES: usize = 4096;
/// How it begins.
const MAGIC: &str = "arcdoor-image\n";
/// The form of everything on the card. A system of another form cannot read the data partition.
pub(crate) const FORMAT: u32 = 1;

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) format: u32,
    /// The board's name, as in firmware/board/boards.
    pub(crate) board: String,
    /// arcdoor's.
    pub(crate) version: String,
    /// The image's length.
    pub(crate) bytes: u64,
    /// Of every byte from the loader's place to the end, in hexadecimal digits.
    pub(crate) sha256: String,
}

impl Label {
    /// Its bytes, with zeros behind.
    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.as_bytes().to_vec();
        serde_json::to_writer(&mut bytes, self)?;
        ensure!(bytes.len() < BYTES, "the image's label is too long");
        bytes.resize(BYTES, 0);
        Ok(bytes)
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let Some(text) = bytes.strip_prefix(MAGIC.as_bytes()) else {
            bail!("this is no image of arcdoor's: `cargo xtask image BOARD` makes one");
        };
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let format: AnyFormat =
            serde_json::from_slice(&text[..end]).context("the image's label is damaged")?;
        ensure!(
            format.format == FORMAT,
            "the image has form {}, and this program writes form {FORMAT}: take the program of the image's own version",
            format.format
        );
        let label: Self = serde_json::from_slice(&text[..end]).context("the image's label is damaged")?;
        ensure!(label.bytes <= MAX_BYTES, "the image claims {} bytes, more than any card", label.bytes);
        Ok(label)
    }
}

/// Whatever else a later form says.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        Label {
            format: FORMAT,
            board: "raspberry-pi-4".to_owned(),
            version: "0.1.0".to_owned(),
            bytes: 1 << 20,
            sha256: "00".repeat(32),
        }
    }

    #[test]
    fn what_an_image_says_is_read_again() {
        let bytes = label().write().unwrap();
        assert_eq!((bytes.len(), Label::read(&bytes).unwrap()), (BYTES, label()));
    }

    #[test]
    fn another_form_a_foreign_image_and_a_damaged_label_are_refused_with_the_reason() {
        let other = Label { format: 2, ..label() }.write().unwrap();
        let huge = Label { bytes: u64::MAX, ..label() }.write().unwrap();
        let text = String::from_utf8(other.clone()).unwrap();
        let later = text.replace("\"board\"", "\"slots\":3,\"board\"").into_bytes();
        for (bytes, word) in [
            (other, "form 2"),
            (later, "form 2"),
            (huge, "more than any card"),
            (vec![0; BYTES], "no image of arcdoor's"),
            (b"arcdoor-image\n{\"format\":1".to_vec(), "damaged"),
        ] {
            let said = Label::read(&bytes).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
    }
}
