//! Dot products for AVX2, NEON and portable CPUs
