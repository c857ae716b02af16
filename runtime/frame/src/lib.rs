//! Pixels: bounded decoding, conversion, resize, crop
