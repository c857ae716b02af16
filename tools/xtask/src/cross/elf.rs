//! What an ELF file says of itself, as far as a board cares.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// The part of a header that is read.
const HEADER: usize = 64;
/// `e_machine` of 64-bit ARM (ELF for the Arm 64-bit Architecture, section 5.2).
const AARCH64: u16 = 183;
/// A segment that names the loader of shared libraries.
const PT_INTERP: u32 = 3;

/// Refuses a program that is not for 64-bit ARM, or that needs shared libraries.
pub(super) fn check(program: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    // The table of segments lies behind the header.
    let file = File::open(program).with_context(|| format!("cannot read {}", program.display()))?;
    file.take(4096).read_to_end(&mut bytes)?;
    judge(&bytes).with_context(|| program.display().to_string())
}

fn judge(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.len() >= HEADER && bytes.starts_with(b"\x7fELF\x02\x01"), "this is no 64-bit ELF file");
    let machine = number(bytes, 18, 2)?;
    ensure!(machine == u64::from(AARCH64), "built for machine {machine}, not for 64-bit ARM");
    let (table, size, count) = (number(bytes, 32, 8)?, number(bytes, 54, 2)?, number(bytes, 56, 2)?);
    for index in 0..count {
        let at = usize::try_from(table.saturating_add(index * size))?;
        if number(bytes, at, 4)? == u64::from(PT_INTERP) {
            bail!("it needs shared libraries, which the board may not have: it must be static");
        }
    }
    Ok(())
}

/// A little-endian number of `length` bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Result<u64> {
    let end = at.checked_add(length);
    let field = end.and_then(|end| bytes.get(at..end)).context("the ELF file is cut short")?;
    Ok(field.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8, segment: u8) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = segment;
        bytes
    }

    #[test]
    fn another_processors_program_a_dynamic_one_and_half_a_one_are_refused() {
        assert!(judge(&elf(183, 1)).is_ok());
        for (bytes, word) in [
            (elf(62, 1), "machine 62"),
            (elf(183, 3), "static"),
            (elf(183, 1)[..64].to_vec(), "cut short"),
            (b"#!/bin/sh".to_vec(), "no 64-bit ELF"),
        ] {
            let said = judge(&bytes).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
    }
}
