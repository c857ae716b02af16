#![no_main]
#![allow(missing_docs, reason = "see the body")]

#[path = "../bodies/pairs.rs"]
mod body;

// libFuzzer's own hook ends the process at every panic, those that our code catches included. Without it,
// a panic that comes out of the body ends the process, and no other.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| body::run(bytes));
