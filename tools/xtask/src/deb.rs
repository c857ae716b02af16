//! `cargo xtask deb`: a package for those who have a Debian or Raspberry Pi OS already.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::qemu::{output, which};
use crate::{cargo, cross};

/// Debian's names of the processors that it is made for.
pub(crate) const ARCHITECTURES: [&str; 2] = ["arm64", "amd64"];

/// Where each file goes, and with which rights. The program is added to these.
const FILES: [(&str, &str, u32); 7] = [
    ("firmware/arcdoor/arcdoor.service", "usr/lib/systemd/system/arcdoor.service", 0o644),
    ("firmware/image/deb/package.conf", "usr/lib/systemd/system/arcdoor.service.d/package.conf", 0o644),
    ("firmware/image/deb/sysusers.conf", "usr/lib/sysusers.d/arcdoor.conf", 0o644),
    ("firmware/image/deb/60-arcdoor.rules", "usr/lib/udev/rules.d/60-arcdoor.rules", 0o644),
    ("firmware/image/deb/profile.sh", "etc/profile.d/arcdoor.sh", 0o644),
    ("LICENSE-MIT", "usr/share/doc/arcdoor/copyright", 0o644),
    ("THIRD-PARTY.md", "usr/share/doc/arcdoor/THIRD-PARTY.md", 0o644),
];
/// What dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes the package for one architecture.
pub(crate) fn run(architecture: &str, program: Option<PathBuf>, out: Option<PathBuf>) -> Result<()> {
    if which("dpkg-deb").is_err() {
        bail!("this needs Debian's package dpkg");
    }
    let program = match (program, architecture) {
        (Some(program), _) => program,
        (None, "arm64") => cross::build(cross::Features::ALL)?.program,
        (None, _) => {
            cargo::run(&["build", "--locked", "--profile", "dist", "--workspace", "--bins"])?;
            cargo::target_dir().join("dist/arcdoor")
        }
    };
    let out = out.unwrap_or_else(|| cargo::target_dir().join("deb"));
    fs::create_dir_all(&out)?;
    let package = out.join(format!("arcdoor_{}_{architecture}.deb", env!("CARGO_PKG_VERSION")));
    make(&package, architecture, &program)?;
    println!("{}: {} bytes", package.display(), fs::metadata(&package)?.len());
    Ok(())
}

fn make(package: &Path, architecture: &str, program: &Path) -> Result<()> {
    let elf = cross::Elf::read(program)?;
    ensure!(
        elf.architecture() == Some(architecture),
        "{} is for {}, not for {architecture}",
        program.display(),
        elf.architecture().unwrap_or("another processor")
    );
    let tree = package.with_extension("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let put = |from: &Path, to: &str, mode| put(from, &tree, to, mode);
    put(program, "usr/bin/arcdoor", 0o755)?;
    for (from, to, mode) in FILES {
        put(&cargo::root().join(from), to, mode)?;
    }
    for script in SCRIPTS {
        put(&cargo::root().join("firmware/image/deb").join(script), &format!("DEBIAN/{script}"), 0o755)?;
    }
    let mut bytes = 0;
    for file in ["usr/bin/arcdoor"].into_iter().chain(FILES.map(|(_, to, _)| to)) {
        bytes += fs::metadata(tree.join(file))?.len();
    }
    let libc = if elf.is_static() { None } else { Some(libc_here()?) };
    fs::write(tree.join("DEBIAN/control"), control(architecture, libc.as_deref(), bytes.div_ceil(1024)))?;
    // dpkg asks before it replaces what somebody changed there.
    let settings = FILES.iter().filter(|(_, to, _)| to.starts_with("etc/"));
    fs::write(
        tree.join("DEBIAN/conffiles"),
        settings.map(|(_, to, _)| format!("/{to}\n")).collect::<String>(),
    )?;
    // Every file is root's, whoever makes the package.
    cargo::check(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(&tree)
            .arg(package)
            .stdout(std::process::Stdio::null()),
    )?;
    Ok(fs::remove_dir_all(tree)?)
}

/// The version of the C library that programs are linked to here.
fn libc_here() -> Result<String> {
    let said = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    Ok(said
        .strip_prefix("glibc ")
        .context("no GNU C library: a package of what is linked here runs nowhere")?
        .trim()
        .to_owned())
}

/// The package's description; `libc` is the C library that the program was linked to, and wants at least; `kib` is what it
/// takes once it is installed.
fn control(architecture: &str, libc: Option<&str>, kib: u64) -> String {
    let depends = match libc {
        Some(version) => format!("systemd, libc6 (>= {version}), libgcc-s1"),
        None => "systemd".to_owned(),
    };
    format!(
        "Package: arcdoor\nVersion: {}\nArchitecture: {architecture}\nMaintainer: arcdoor\nInstalled-Size: {kib}\nDepends: \
         {depends}\nSection: misc\nPriority: optional\nDescription: recognises faces at a door, and holds the lock\n No frame \
         leaves the device. Its service starts once `arcdoor setup` has said\n which door it is. People get out whatever it \
         does only where the exit button\n and the fire release are wired to the lock's own circuit.\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn put(from: &Path, tree: &Path, to: &str, mode: u32) -> Result<()> {
    let to = tree.join(to);
    let folders = || to.ancestors().skip(1).take_while(|folder| folder.starts_with(tree));
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    fs::copy(from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
    for folder in folders() {
        // However strict the umask is: everybody may look into what dpkg makes of them.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_holds_the_program_its_service_and_its_scripts_and_all_is_roots() {
        if which("dpkg-deb").is_err() {
            println!("skipped: dpkg-deb is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("arcdoor");
        fs::write(&program, cross::elf_of("arm64")).unwrap();
        let package = folder.path().join("arcdoor.deb");
        make(&package, "arm64", &program).unwrap();
        let of = |word: &str| output(Command::new("dpkg-deb").arg(word).arg(&package)).unwrap();
        let listed = of("--contents");
        for (file, rights) in [
            ("./usr/bin/arcdoor", "-rwxr-xr-x"),
            ("./usr/lib/systemd/system/arcdoor.service", "-rw-r--r--"),
            ("./usr/lib/udev/rules.d/60-arcdoor.rules", "-rw-r--r--"),
        ] {
            let line = listed.lines().find(|line| line.ends_with(file)).unwrap();
            assert!(line.starts_with(rights) && line.contains("root/root"), "{line}");
        }
        assert!(of("--info").contains("Depends: systemd\n"), "static: no libraries");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_program_that_wants_a_c_library_says_which() {
        assert!(control("amd64", Some("2.36"), 1).contains("Depends: systemd, libc6 (>= 2.36), libgcc-s1\n"));
    }

    #[test]
    fn another_processors_program_is_not_packed() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("arcdoor");
        fs::write(&program, cross::elf_of("arm64")).unwrap();
        let said = make(&folder.path().join("x.deb"), "amd64", &program).unwrap_err().to_string();
        assert!(said.contains("is for arm64, not for amd64"), "{said}");
    }
}
