//! Why a command ends without success, where the reason has an exit code of its own.

/// Errors with the exit codes of the README; every other error ends with 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The command ran and its answer is no: 1.
    #[error("{0}")]
    Failed(String),
    /// What was given cannot be used: 3.
    #[error("{0}")]
    BadInput(String),
    /// The pack is refused: 4.
    #[error("{0}")]
    Pack(String),
    /// A file cannot be written, or the disk is full: 5.
    #[error("{0}")]
    Disk(String),
}

impl Trouble {
    const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::BadInput(_) => 3,
            Self::Pack(_) => 4,
            Self::Disk(_) => 5,
        }
    }

    /// The exit code of an error, which may carry its trouble anywhere in its chain.
    pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
        error.chain().find_map(|cause| cause.downcast_ref::<Self>()).map_or(1, Self::code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn context_keeps_the_code() {
        let result: Result<(), _> = Err(Trouble::Disk("full".to_owned()));
        let error = result.context("cannot write").unwrap_err();
        assert_eq!(Trouble::code_of(&error), 5);
        assert_eq!(Trouble::code_of(&anyhow::anyhow!("other")), 1);
    }
}
