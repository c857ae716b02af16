//! An image's bytes, packed or not.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What is read from.
pub(super) enum Source {
    /// A plain image.
    Plain(File),
    /// One packed by xz, which another process unpacks.
    Packed { xz: Child, out: ChildStdout },
}

impl Source {
    pub(super) fn open(image: &Path) -> Result<Self> {
        if image.extension().is_none_or(|ending| ending != "xz") {
            let file = File::open(image).with_context(|| format!("cannot read {}", image.display()))?;
            return Ok(Self::Plain(file));
        }
        ensure!(image.is_file(), "{}: no such file", image.display());
        let mut xz = Command::new("xz");
        xz.args(["--decompress", "--stdout"]).arg(image).stdout(Stdio::piped());
        let mut xz = xz.spawn().context("cannot start xz: apt-get install xz-utils")?;
        let out = xz.stdout.take().context("xz has no output")?;
        Ok(Self::Packed { xz, out })
    }

    /// That all was read that there is, and that it was whole.
    pub(super) fn end(mut self) -> Result<()> {
        if let Self::Packed { xz, .. } = &mut self {
            ensure!(xz.wait()?.success(), "it is damaged: xz cannot unpack it; load it down again");
        }
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Packed { out, .. } => out.read(into),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Packed { xz, .. } = self {
            // Both fail where it has ended.
            let _ = xz.kill();
            let _ = xz.wait();
        }
    }
}
