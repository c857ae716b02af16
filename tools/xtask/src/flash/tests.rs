use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::image::small_image;

fn none() -> Progress {
    Progress { is_watched: false, last: ("", 0) }
}

/// A folder with an image of 81 MiB for a Raspberry Pi 4, without file systems in it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("door.img");
    small_image(&image, "raspberry-pi-4").unwrap();
    (folder, image)
}

fn flash(image: &Path, device: &Path, board: Option<&str>) -> Result<String> {
    write(&System::this(), image, device, board, None, &mut none())
}

#[test]
fn a_card_holds_the_images_bytes_and_is_verified() {
    let (folder, image) = folder();
    let card = folder.path().join("card");
    let said = flash(&image, &card, Some("raspberry-pi-4")).unwrap();
    assert!(said.contains("raspberry-pi-4, verified"), "{said}");
    assert!(fs::read(&card).unwrap() == fs::read(&image).unwrap());
}

#[test]
fn a_packed_image_is_written_as_the_plain_one_and_a_damaged_packing_is_refused() {
    let (folder, image) = folder();
    if Command::new("xz").arg("--version").output().is_err() {
        println!("skipped: xz is not installed");
        return;
    }
    assert!(Command::new("xz").args(["-k", "-0"]).arg(&image).status().unwrap().success());
    let packed = folder.path().join("door.img.xz");
    let card = folder.path().join("card");
    flash(&packed, &card, None).unwrap();
    assert!(fs::read(&card).unwrap() == fs::read(&image).unwrap());
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(&card, "before").unwrap();
    assert!(flash(&packed, &card, None).is_err());
    assert_eq!(fs::read(&card).unwrap(), b"before");
}

#[test]
fn a_bad_image_leaves_the_card_as_it_is_and_says_why() {
    let (folder, image) = folder();
    let whole = fs::read(&image).unwrap();
    let card = folder.path().join("card");
    fs::write(&card, "before").unwrap();
    let cut = whole[..whole.len() - 512].to_vec();
    let short = whole[..1000].to_vec();
    let mut longer = whole.clone();
    longer.push(0);
    let mut damaged = whole.clone();
    damaged[40 << 20] ^= 1;
    let mut table = whole.clone();
    table[450] = 7;
    for (bytes, word) in [
        (cut, "cut short"),
        (short, "cut short"),
        (longer, "longer than"),
        (damaged, "damaged"),
        (table, "partition ARCDOOR is missing"),
        (vec![0; 1 << 20], "no image of arcdoor's"),
    ] {
        fs::write(&image, bytes).unwrap();
        let said = format!("{:#}", flash(&image, &card, None).unwrap_err());
        assert!(said.contains(word), "{said}");
        assert_eq!(fs::read(&card).unwrap(), b"before", "{word}");
    }
    fs::write(&image, whole).unwrap();
    let said = flash(&image, &card, Some("radxa-rock-5b")).unwrap_err().to_string();
    assert!(said.contains("is for raspberry-pi-4, not for radxa-rock-5b"), "{said}");
    assert_eq!(fs::read(&card).unwrap(), b"before");
}
