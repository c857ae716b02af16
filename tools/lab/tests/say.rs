//! What a command says when nobody reads it.
#![cfg(unix)]

use std::process::{Command, Stdio};

#[test]
fn a_reader_that_went_away_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut lab = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab"));
    lab.args(["pack", "keygen", "--no-password", "--out"]).arg(dir.path().join("key"));
    let output = lab.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""));
    assert!(dir.path().join("key.pub").exists());
}
