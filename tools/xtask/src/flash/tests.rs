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

#[test]
fn an_image_that_changes_after_it_was_checked_leaves_no_card_that_starts() {
    let (folder, image) = folder();
    let checked = check(&image, None, &mut none()).unwrap();
    let whole = fs::read(&image).unwrap();
    let path = folder.path().join("card");
    // In the table, in the label, behind the first MiB; and cut short.
    for place in [Some(450), Some(600), Some(40 << 20), None] {
        let mut second = whole.clone();
        match place {
            Some(place) => second[place] ^= 1,
            None => second.truncate(whole.len() - 512),
        }
        let mut card = Disk::File.open(&path).unwrap();
        let said = copy(&mut second.as_slice(), &mut card, &checked, &mut none()).unwrap_err().to_string();
        assert!(said.contains("changed while it was written"), "{said}");
        assert!(fs::read(&path).unwrap()[..1 << 20].iter().all(|byte| *byte == 0), "{place:?}");
    }
}

#[test]
fn an_image_is_not_written_onto_itself() {
    let (folder, image) = folder();
    let bytes = fs::metadata(&image).unwrap().len();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&image, &link).unwrap();
    let other = folder.path().join("other");
    fs::hard_link(&image, &other).unwrap();
    for name in [link, other] {
        assert!(flash(&image, &name, None).unwrap_err().to_string().contains("the image itself"));
    }
    assert_eq!(fs::metadata(&image).unwrap().len(), bytes);
}

/// A block device in the place of a card.
struct Loop(String);

impl Loop {
    fn of(file: &Path) -> Option<Self> {
        let made = Command::new("losetup").args(["--find", "--show"]).arg(file).output().ok()?;
        let name = String::from_utf8(made.stdout).ok()?.trim().to_owned();
        (made.status.success() && Path::new(&name).exists()).then_some(Self(name))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_block_device_is_written_and_read_back_where_there_is_one() {
    let (folder, image) = folder();
    let card = folder.path().join("card");
    fs::File::create(&card).unwrap().set_len(fs::metadata(&image).unwrap().len() + MIB).unwrap();
    let Some(device) = Loop::of(&card) else {
        println!("skipped: losetup makes no device here; it wants root");
        return;
    };
    let path = Path::new(&device.0);
    let name = path.file_name().unwrap().to_str();
    let said = write(&System::this(), &image, path, None, name, &mut none()).unwrap();
    assert!(said.contains("verified"), "{said}");
    let bytes = fs::read(&image).unwrap();
    assert!(fs::read(&card).unwrap()[..bytes.len()] == bytes);
    assert!(flash(&image, path, None).unwrap_err().to_string().contains("--even-fixed"));
}
