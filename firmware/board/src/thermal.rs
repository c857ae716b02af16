//! How hot the board is, against its limits.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::limits::MAX_ZONES;

/// Where the kernel lists its sensors.
const ZONES: &str = "/sys/class/thermal";
/// What a sensor on a running board may say, in thousandths of a degree; anything else is a broken sensor.
const PLAUSIBLE: std::ops::RangeInclusive<i32> = -40_000..=150_000;

/// Temperatures in degrees Celsius from which something is done. `warn_c` lies below `throttle_c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThermalLimits {
    /// From here on the operator is to be told.
    pub warn_c: i32,
    /// From here on the load is to be lowered.
    pub throttle_c: i32,
}

/// What the temperature asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heat {
    /// Nothing.
    Fine,
    /// That the operator is told.
    Warm,
    /// That the load is lowered.
    Throttle,
}

/// A reading and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Temperature {
    /// The hottest sensor, in thousandths of a degree Celsius.
    pub milli_c: i32,
    /// What that asks for.
    pub heat: Heat,
}

/// Why there is no temperature.
#[derive(Debug, thiserror::Error)]
pub enum ThermalError {
    /// No sensor.
    #[error("{}: the kernel has no temperature sensor there: its driver may be missing", .0.display())]
    NoZone(PathBuf),
    /// No sensor says anything plausible.
    #[error(
        "no temperature sensor of {zones} says anything plausible: the kernel's driver may have failed; `dmesg` may say more"
    )]
    NoReading {
        /// How many there are.
        zones: usize,
    },
}

/// The board's temperature sensors.
#[derive(Debug)]
pub struct Thermometer {
    /// Opened once: reading again gives the value of that moment.
    zones: Vec<File>,
    limits: ThermalLimits,
}

impl Thermometer {
    /// Opens every sensor that the kernel has, at most [`MAX_ZONES`].
    ///
    /// # Errors
    /// There is none.
    pub fn open(limits: ThermalLimits) -> Result<Self, ThermalError> {
        Self::open_at(Path::new(ZONES), limits)
    }

    fn open_at(folder: &Path, limits: ThermalLimits) -> Result<Self, ThermalError> {
        let zone = |index: usize| File::open(folder.join(format!("thermal_zone{index}/temp"))).ok();
        let zones: Vec<File> = (0..MAX_ZONES).filter_map(zone).collect();
        if zones.is_empty() {
            Err(ThermalError::NoZone(folder.to_owned()))
        } else {
            Ok(Self { zones, limits })
        }
    }

    /// Reads the hottest sensor. One that says nothing plausible is passed over.
    ///
    /// # Errors
    /// No sensor says anything plausible.
    pub fn read(&self) -> Result<Temperature, ThermalError> {
        let hottest = self.zones.iter().filter_map(reading).max();
        let milli_c = hottest.ok_or(ThermalError::NoReading { zones: self.zones.len() })?;
        let heat = if milli_c >= self.limits.throttle_c.saturating_mul(1000) {
            Heat::Throttle
        } else if milli_c >= self.limits.warn_c.saturating_mul(1000) {
            Heat::Warm
        } else {
            Heat::Fine
        };
        Ok(Temperature { milli_c, heat })
    }
}

fn reading(zone: &File) -> Option<i32> {
    let mut bytes = [0_u8; 16];
    let used = zone.read_at(&mut bytes, 0).ok()?;
    let value = std::str::from_utf8(&bytes[..used]).ok()?.trim().parse().ok()?;
    PLAUSIBLE.contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LIMITS: ThermalLimits = ThermalLimits { warn_c: 75, throttle_c: 80 };

    fn folder(readings: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, reading) in readings.iter().enumerate() {
            let zone = folder.path().join(format!("thermal_zone{index}"));
            fs::create_dir(&zone).unwrap();
            fs::write(zone.join("temp"), reading).unwrap();
        }
        folder
    }

    fn read(readings: &[&str]) -> Result<Temperature, ThermalError> {
        Thermometer::open_at(folder(readings).path(), LIMITS)?.read()
    }

    #[test]
    fn the_limits_themselves_count_as_reached() {
        for (reading, heat) in [
            ("74999\n", Heat::Fine),
            ("75000\n", Heat::Warm),
            ("79999\n", Heat::Warm),
            ("80000\n", Heat::Throttle),
            ("-5000\n", Heat::Fine),
        ] {
            assert_eq!(read(&[reading]).unwrap().heat, heat, "{reading}");
        }
    }

    #[test]
    fn the_hottest_sensor_counts_and_a_broken_one_does_not() {
        let temperature = read(&["40000\n", "2147483647\n", "", "77000\n", "nonsense\n"]).unwrap();
        assert_eq!(temperature, Temperature { milli_c: 77_000, heat: Heat::Warm });
    }

    #[test]
    fn sensors_that_say_nothing_are_an_error_and_not_cold() {
        assert!(matches!(read(&["", "999999\n"]), Err(ThermalError::NoReading { zones: 2 })));
        assert!(matches!(read(&[]), Err(ThermalError::NoZone(_))));
    }

    #[test]
    fn a_sensor_is_read_anew_each_time() {
        let folder = folder(&["40000\n"]);
        let thermometer = Thermometer::open_at(folder.path(), LIMITS).unwrap();
        assert_eq!(thermometer.read().unwrap().heat, Heat::Fine);
        fs::write(folder.path().join("thermal_zone0/temp"), "81000\n").unwrap();
        assert_eq!(thermometer.read().unwrap().heat, Heat::Throttle);
    }
}
