//! Which hardware a board's file is for.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::limits::{MAX_MACHINES, MAX_TEXT};

/// Where Linux shows the names of the machine that it runs on, each ended by a zero byte, the most exact one first.
/// `/proc/device-tree` points here, and a hardened service does not see it.
const COMPATIBLE: &str = "/sys/firmware/devicetree/base/compatible";

/// Who starts Linux on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// Raspberry Pi's firmware, from files of the first partition.
    RaspberryPi,
    /// U-Boot, from fixed places before the first partition.
    UBoot,
}

/// Why a table `machine` says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("compatible has 1 to {MAX_MACHINES} names, such as \"raspberrypi,4-model-b\"")]
pub struct MachineError;

/// Which hardware it is, and how that starts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawMachine")]
pub struct Machine {
    compatible: Vec<String>,
    boot: Boot,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMachine {
    compatible: Vec<String>,
    boot: Boot,
}

impl TryFrom<RawMachine> for Machine {
    type Error = MachineError;

    fn try_from(raw: RawMachine) -> Result<Self, MachineError> {
        let RawMachine { compatible, boot } = raw;
        let is_name = |name: &String| {
            name.len() <= MAX_TEXT && name.contains(',') && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let fits = (1..=MAX_MACHINES).contains(&compatible.len()) && compatible.iter().all(is_name);
        if fits { Ok(Self { compatible, boot }) } else { Err(MachineError) }
    }
}

/// The board's file is for other hardware than this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine calls itself {here}, and the board's file is for {wanted}: its lines would move other things. Name the \
     right board in settings.toml (`arcdoor board list`), or write the image of this one"
)]
pub struct WrongMachine {
    here: String,
    wanted: String,
}

impl Machine {
    /// The device tree's names of the hardware that the file is right for.
    #[must_use]
    pub fn compatible(&self) -> &[String] {
        &self.compatible
    }

    /// Who starts Linux on it.
    #[must_use]
    pub const fn boot(&self) -> Boot {
        self.boot
    }

    /// That this program runs on such hardware. Where Linux knows no names, as on a PC or in a container, nothing is known,
    /// and nothing is refused.
    ///
    /// # Errors
    /// What it runs on instead; or that the names are there and cannot be read.
    pub fn is_this(&self) -> Result<(), WrongMachine> {
        self.is_named_in(Path::new(COMPATIBLE))
    }

    fn is_named_in(&self, file: &Path) -> Result<(), WrongMachine> {
        match fs::read(file) {
            Ok(names) => self.is_called(&names),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.other(format!("nothing that can be read ({error})"))),
        }
    }

    fn other(&self, here: String) -> WrongMachine {
        WrongMachine { here, wanted: self.compatible.join(" or ") }
    }

    /// That one of `names`, each ended by a zero byte, is one of ours.
    fn is_called(&self, names: &[u8]) -> Result<(), WrongMachine> {
        let names = String::from_utf8_lossy(names);
        let mut here = names.split('\0').filter(|name| !name.is_empty());
        if here.clone().any(|name| self.compatible.iter().any(|wanted| wanted == name)) {
            return Ok(());
        }
        Err(self.other(here.next().unwrap_or("nothing").chars().take(MAX_TEXT).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_another_board_is_refused_and_both_are_named() {
        let raw =
            RawMachine { compatible: vec!["raspberrypi,4-model-b".to_owned()], boot: Boot::RaspberryPi };
        let machine = Machine::try_from(raw).unwrap();
        assert!(machine.is_called(b"raspberrypi,4-model-b\0brcm,bcm2711\0").is_ok());
        // The chip's name alone is not the board's: another board with this chip has other wires.
        for names in
            [&b"radxa,rock-5b\0rockchip,rk3588\0"[..], b"raspberrypi,4-model-bb\0", b"brcm,bcm2711", b""]
        {
            assert!(machine.is_called(names).is_err());
        }
        let said = machine.is_called(b"radxa,rock-5b\0").unwrap_err().to_string();
        assert!(
            said.contains("itself radxa,rock-5b") && said.contains("for raspberrypi,4-model-b"),
            "{said}"
        );
    }

    #[test]
    fn names_that_cannot_be_read_pass_for_no_board() {
        let raw = RawMachine { compatible: vec!["a,b".to_owned()], boot: Boot::UBoot };
        let machine = Machine::try_from(raw).unwrap();
        assert!(machine.is_named_in(Path::new("/nowhere/compatible")).is_ok(), "a PC");
        // A folder opens, and cannot be read.
        assert!(
            machine.is_named_in(Path::new("/")).unwrap_err().to_string().contains("nothing that can be read")
        );
    }

    #[test]
    fn a_machine_has_a_name() {
        for compatible in [vec![], vec!["no comma".to_owned()], vec!["a,b".to_owned(); MAX_MACHINES + 1]] {
            assert!(Machine::try_from(RawMachine { compatible, boot: Boot::UBoot }).is_err());
        }
    }
}
