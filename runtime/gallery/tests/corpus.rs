//! The gallery's fuzz corpus as an ordinary test; `cargo xtask fuzz gallery` looks for new inputs.

use std::io::Write as _;
use std::path::Path;

#[path = "../../../tests/fuzz/bodies/gallery.rs"]
mod body;

#[test]
fn damaged_and_crafted_galleries_are_refused_or_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/gallery");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        body::run(&bytes);
        for end in 0..bytes.len() {
            body::run(&bytes[..end]);
        }
        count += bytes.len() + 1;
    }
    // Every page of the good gallery, flipped at four places.
    for at in (0..1_u32 << 18).step_by(1024) {
        let place = at.to_le_bytes();
        body::run(&[1, place[0], place[1], place[2], 3, 0x55, 0xaa, 0xff]);
        count += 1;
    }
    let _ = writeln!(std::io::stderr(), "hostile inputs, gallery: {count}");
    assert!(count > 500);
}
