//! What an ELF file says of itself, as far as a board cares.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The part of a header that is read.
const HEADER: usize = 64;
/// `e_machine`, and Debian's name for it.
const MACHINES: [(u64, &str); 2] = [(183, "arm64"), (62, "amd64")];
/// A segment that names the loader of shared libraries.
const PT_INTERP: u64 = 3;

/// A 64-bit program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elf {
    machine: u64,
    is_static: bool,
}

impl Elf {
    /// Reads a program's header.
    pub(crate) fn read(program: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        // The table of segments lies behind the header.
        let file = File::open(program).with_context(|| format!("cannot read {}", program.display()))?;
        file.take(4096).read_to_end(&mut bytes)?;
        Self::parse(&bytes).with_context(|| program.display().to_string())
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() >= HEADER && bytes.starts_with(b"\x7fELF\x02\x01"), "this is no 64-bit ELF file");
        let (table, size, count) = (number(bytes, 32, 8)?, number(bytes, 54, 2)?, number(bytes, 56, 2)?);
        let mut is_static = true;
        for index in 0..count {
            let at = usize::try_from(table.saturating_add(index * size))?;
            is_static &= number(bytes, at, 4)? != PT_INTERP;
        }
        Ok(Self { machine: number(bytes, 18, 2)?, is_static })
    }

    /// Debian's name of the processor; `None` of one that nothing is made for.
    pub(crate) fn architecture(self) -> Option<&'static str> {
        MACHINES.iter().find(|(machine, _)| *machine == self.machine).map(|(_, name)| *name)
    }

    /// Whether it needs no shared libraries.
    pub(crate) const fn is_static(self) -> bool {
        self.is_static
    }
}

/// A little-endian number of `length` bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Result<u64> {
    let end = at.checked_add(length);
    let field = end.and_then(|end| bytes.get(at..end)).context("the ELF file is cut short")?;
    Ok(field.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

/// A static program of nothing but headers, for tests.
#[cfg(test)]
pub(crate) fn elf_of(architecture: &str) -> Vec<u8> {
    let (machine, _) = MACHINES.into_iter().find(|(_, name)| *name == architecture).unwrap();
    let mut bytes = vec![0; HEADER + 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = u8::try_from(machine).unwrap();
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 1;
    bytes[64] = 1;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_what_it_is_for_and_whether_it_stands_alone() {
        let plain = Elf::parse(&elf_of("arm64")).unwrap();
        assert_eq!((plain.architecture(), plain.is_static()), (Some("arm64"), true));
        let mut dynamic = elf_of("amd64");
        dynamic[64] = 3;
        let dynamic = Elf::parse(&dynamic).unwrap();
        assert_eq!((dynamic.architecture(), dynamic.is_static()), (Some("amd64"), false));
    }

    #[test]
    fn half_a_program_and_a_script_are_none() {
        for bytes in [&elf_of("arm64")[..64], b"#!/bin/sh", b""] {
            assert!(Elf::parse(bytes).is_err());
        }
        let mut far = elf_of("arm64");
        far[32..40].fill(0xff);
        assert!(Elf::parse(&far).is_err());
    }
}
