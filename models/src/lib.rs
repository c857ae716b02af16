//! The model pack: manifest, hashes, licence, provenance, calibration
