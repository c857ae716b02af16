//! The one binary on the device
