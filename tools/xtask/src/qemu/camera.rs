//! `cargo xtask qemu camera`: our V4L2 capture, and the loop, on a virtual camera.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::machine::{Arch, Machine, copy, test_binary, which};
use crate::cargo;

/// The integration tests that run in it, in this order; the second leaves vivid unusable.
const TESTS: [&str; 2] = ["unplugged", "vivid"];
/// Where they find what they need.
const PREPARE: &str = "export ARCDOOR_VIVID=/dev/video0 ARCDOOR_BINARY=/bin/arcdoor ARCDOOR_PACK=/pack";

/// Boots Debian's kernel with the module vivid and runs the camera's tests in it.
pub(crate) fn camera() -> Result<()> {
    let mut machine = Machine::new(Arch::Amd64, &[("v4l2-ctl", "v4l-utils")])?;
    machine.put(&which("v4l2-ctl")?, "v4l2-ctl")?;
    for test in TESTS {
        // The same build as `cargo xtask test` makes.
        machine.put(&test_binary(&["--workspace"], test)?, test)?;
    }
    // The test of the loop brought it.
    machine.put(&cargo::target_dir().join("release/arcdoor"), "arcdoor")?;
    packs(&machine.root().join("pack"))?;
    // One capture device and nothing else.
    machine.load("vivid", "n_devs=1 node_types=0x1")?;
    machine.boot(PREPARE, &TESTS)
}

/// Copies the pack that the loop runs.
fn packs(to: &Path) -> Result<()> {
    let from = cargo::root().join("models/packs/yunet-sface");
    let files = fs::read_dir(&from).with_context(|| {
        format!("{} is missing: `cargo xtask pack yunet-sface` builds it", from.display())
    })?;
    fs::create_dir_all(to)?;
    for file in files {
        let file = file?;
        copy(&file.path(), &to.join(file.file_name()))?;
    }
    Ok(())
}
