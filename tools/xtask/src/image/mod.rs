//! `cargo xtask image`: the image of a card, from which a board starts arcdoor.
//!
//! ```text
//! sector 0        table of partitions (table)
//! sector 1..8     what the image is, and its hash (label)
//! sector 64       the board's loader, where it has one there
//! 16 MiB          boot, FAT: firmware, kernel, ramdisk (boot)
//!                 slot A: the system, read-only (root); slot B: room for the next one
//!                 data: all that is written; grows at the first start
//! ```
//! Nothing here needs root: file systems are made from folders by Debian's own tools.

mod boot;
mod card;
mod files;
mod label;
mod layout;
mod packed;
mod root;
mod table;
mod wishes;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_board::{BOARDS, Board, Boot};

use crate::cargo;

pub(crate) use label::Label;
pub(crate) use layout::{LOADER, MIB};
pub(crate) use packed::hex_of;
pub(crate) use wishes::Wishes;
pub(crate) use {label::AT as LABEL_AT, label::BYTES as LABEL_BYTES, table::check as check_table};

use layout::Layout;

/// Makes the image of a card for `name`, and beside it the same, packed, with its hash.
pub(crate) fn run(name: &str, wishes: &Wishes) -> Result<()> {
    ensure!(
        BOARDS.iter().any(|(known, _)| *known == name),
        "no board is called {name:?}: an image is for one of those in firmware/board/boards"
    );
    let board = Board::find(name)?;
    let loader = loader(name, &board, wishes)?;
    let needed = [files::NEEDED, packed::NEEDED, if wishes.small.is_some() { &[] } else { root::NEEDED }];
    files::installed(&needed.concat())?;
    let out = match &wishes.out {
        Some(out) => out.clone(),
        None => cargo::target_dir().join("image").join(format!("arcdoor-{name}.img")),
    };
    let work = cargo::target_dir().join("image").join(format!("{name}.work"));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let layout = if wishes.small.is_some() { Layout::SMALL } else { Layout::FULL };
    let root = match &wishes.small {
        Some(folder) => root::Root::from_folder(folder)?,
        None => root::build(&work, name, &board, wishes)?,
    };
    make(&out, layout, &Parts { name, board: &board, root: &root, loader }, &work)?;
    fs::remove_dir_all(&work)?;
    println!("{}: {} MiB", out.display(), fs::metadata(&out)?.len() / MIB);
    let (file, sha256) = packed::pack(&out)?;
    println!("{}: {} MiB, SHA-256 {sha256}", file.display(), fs::metadata(&file)?.len() / MIB);
    println!(
        "write it: cargo xtask flash {} DEVICE, or Raspberry Pi Imager, or xz -dc ... | dd",
        file.display()
    );
    Ok(())
}

/// What goes onto a card.
struct Parts<'a> {
    name: &'a str,
    board: &'a Board,
    root: &'a root::Root,
    loader: Option<Vec<u8>>,
}

/// Puts every part in its place; what is left of an attempt that failed is removed.
fn make(out: &Path, layout: Layout, parts: &Parts<'_>, work: &Path) -> Result<()> {
    layout.check()?;
    let boot = work.join("boot");
    fs::create_dir_all(&boot)?;
    let card = card::Card::create(out, layout)?;
    boot::fill(&boot, parts.name, parts.board, parts.root.folder(), &card)?;
    card.fill(layout::Part::Boot, |file| files::fat(file, &boot))?;
    card.fill(layout::Part::SlotA, |file| parts.root.write(file))?;
    let data = work.join("data");
    fs::create_dir_all(&data)?;
    card.fill(layout::Part::Data, |file| files::ext4(file, &data, layout::Part::Data.label()))?;
    card.finish(parts.name, parts.loader.as_deref())
}

/// The loader that such a board needs on the card, checked against its hash.
fn loader(name: &str, board: &Board, wishes: &Wishes) -> Result<Option<Vec<u8>>> {
    let needs = board.machine().is_some_and(|machine| machine.boot() == Boot::UBoot);
    let Some((file, sha256)) = &wishes.loader else {
        ensure!(
            !needs,
            "{name} starts from a loader that Debian has no package of: build U-Boot for it (u-boot-rockchip.bin), and name it \
             with --loader FILE --loader-sha256 HASH"
        );
        return Ok(None);
    };
    if !needs {
        bail!("{name} takes no loader on the card");
    }
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = packed::hex_of(&bytes);
    ensure!(found == sha256.to_lowercase(), "{} has SHA-256 {found}, not {sha256}", file.display());
    let room = layout::FIRST - LOADER;
    ensure!(
        bytes.len() as u64 <= room,
        "{} is longer than the {room} bytes before the first partition",
        file.display()
    );
    Ok(Some(bytes))
}

/// An image without file systems, for tests of those who read one.
#[cfg(test)]
pub(crate) fn small_image(out: &Path, board: &str) -> Result<()> {
    let card = card::Card::create(out, Layout::SMALL)?;
    card.fill(layout::Part::SlotA, |file| Ok(fs::write(file, "a system")?))?;
    card.finish(board, None)
}

#[cfg(test)]
mod tests;
