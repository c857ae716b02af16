//! `cargo xtask qemu camera`: our V4L2 capture, and the loop, on a real kernel with a virtual camera, in an emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{cargo, fetch};

/// Programs that this needs, and the Debian packages that bring them.
const NEEDED: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("v4l2-ctl", "v4l-utils"),
    ("modprobe", "kmod"),
    ("cpio", "cpio"),
    ("dpkg-deb", "dpkg"),
];
/// The integration tests that run in it, in this order; the second leaves vivid unusable.
const TESTS: [&str; 2] = ["unplugged", "vivid"];
/// The longest that the emulated machine may run.
const LIMIT: &str = "600";
/// On a busy host the emulated timer looks broken to the kernel, which would stop there.
const KERNEL: &str = "console=ttyS0 quiet panic=-1 no_timer_check";
/// Before the test's exit code, on the console.
const ENDED: &str = "arcdoor-test-ended-with";

/// Boots Debian's kernel with the module vivid and runs the camera's tests in it.
pub(crate) fn camera() -> Result<()> {
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| which(program).is_err()).map(|(_, package)| *package).collect();
    ensure!(missing.is_empty(), "this needs Debian's packages; apt-get install {}", missing.join(" "));
    let work = fetch::cache_dir()?.join("qemu");
    let kernel = kernel(&work)?;
    let root = work.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for dir in ["bin", "modules", "proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(root.join(dir))?;
    }
    let tests = TESTS.map(test_binary).into_iter().collect::<Result<Vec<_>>>()?;
    // The test of the loop brings it.
    let door = cargo::target_dir().join("release/arcdoor");
    let programs = [("busybox", which("busybox")?), ("v4l2-ctl", which("v4l2-ctl")?), ("arcdoor", door)];
    for (name, from) in programs.into_iter().chain(TESTS.into_iter().zip(tests)) {
        copy(&from, &root.join("bin").join(name))?;
        libraries(&from, &root)?;
    }
    packs(&root.join("pack"))?;
    let modules = modules(&kernel, &root)?;
    fs::write(root.join("init"), init(&modules))?;
    make_executable(&root.join("init"))?;
    let ramdisk = work.join("ramdisk");
    pack(&root, &ramdisk)?;
    boot(&kernel.image, &ramdisk)
}

struct Kernel {
    image: PathBuf,
    /// The unpacked package.
    dir: PathBuf,
    version: String,
}

/// Downloads and unpacks Debian's kernel, once.
fn kernel(work: &Path) -> Result<Kernel> {
    let dir = work.join("kernel");
    if !dir.join("boot").is_dir() {
        fs::create_dir_all(work)?;
        let depends = output(Command::new("apt-cache").args(["depends", "linux-image-amd64"]))?;
        let package = depends
            .split_whitespace()
            .find(|word| word.starts_with("linux-image-") && *word != "linux-image-amd64")
            .context("apt-cache knows no kernel; apt-get update may help")?;
        eprintln!("fetching {package} (70 MB) ...");
        cargo::check(Command::new("apt-get").args(["download", "-qq", package]).current_dir(work))?;
        let deb = fs::read_dir(work)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
            .context("apt-get downloaded nothing")?;
        cargo::check(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&dir))?;
        fs::remove_file(deb)?;
    }
    let image = fs::read_dir(dir.join("boot"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .context("the kernel's package holds no kernel")?;
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = name.trim_start_matches("vmlinuz-").to_owned();
    cargo::check(Command::new(which("depmod")?).arg("-b").arg(&dir).arg(&version))?;
    Ok(Kernel { image, dir, version })
}

/// Copies the pack that the loop runs.
fn packs(to: &Path) -> Result<()> {
    let from = cargo::root().join("models/packs/yunet-sface");
    let files = fs::read_dir(&from).with_context(|| {
        format!("{} is missing: `cargo xtask pack yunet-sface` builds it", from.display())
    })?;
    fs::create_dir_all(to)?;
    for file in files {
        let file = file?;
        copy(&file.path(), &to.join(file.file_name()))?;
    }
    Ok(())
}

/// Copies vivid with what it needs; their names in the order in which they load.
fn modules(kernel: &Kernel, root: &Path) -> Result<Vec<String>> {
    let mut modprobe = Command::new(which("modprobe")?);
    modprobe.args(["--show-depends", "-S", &kernel.version, "-d"]).arg(&kernel.dir).arg("vivid");
    let mut names = Vec::new();
    for path in output(&mut modprobe)?.lines().filter_map(|line| line.strip_prefix("insmod ")) {
        let path = Path::new(path.split_whitespace().next().unwrap_or_default());
        let name = path.file_name().context("modprobe named no file")?.to_string_lossy().into_owned();
        copy(path, &root.join("modules").join(&name))?;
        names.push(name);
    }
    ensure!(!names.is_empty(), "the kernel has no vivid");
    Ok(names)
}

/// What the machine does: load, test, tell, power off.
fn init(modules: &[String]) -> String {
    let mut script = String::from(
        "#!/bin/busybox sh\nexport PATH=/bin ARCDOOR_VIVID=/dev/video0\n\
         export ARCDOOR_BINARY=/bin/arcdoor ARCDOOR_PACK=/pack\n/bin/busybox --install -s /bin\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n",
    );
    for module in modules {
        // One capture device and nothing else.
        let options = if module.starts_with("vivid") { " n_devs=1 node_types=0x1" } else { "" };
        script.push_str(&format!("insmod /modules/{module}{options}\n"));
    }
    script.push_str("sleep 1\nuname -srm\nresult=0\n");
    for test in TESTS {
        script.push_str(&format!("/bin/{test} --test-threads=1 --nocapture || result=$?\n"));
    }
    script.push_str(&format!("echo {ENDED} $result\npoweroff -f\n"));
    script
}

fn boot(image: &Path, ramdisk: &Path) -> Result<()> {
    eprintln!("booting (emulated; at most {LIMIT} s) ...");
    let mut qemu = Command::new("timeout");
    qemu.args([LIMIT, "qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-smp", "2", "-m", "1024"]);
    qemu.args(["-nographic", "-no-reboot", "-nic", "none", "-append", KERNEL]);
    qemu.arg("-kernel").arg(image).arg("-initrd").arg(ramdisk).stdin(Stdio::null());
    let console = qemu.stderr(Stdio::inherit()).output().context("cannot start the emulator")?;
    let text = String::from_utf8_lossy(&console.stdout);
    println!("{text}");
    let code = text.lines().find_map(|line| line.trim().strip_prefix(ENDED));
    match code.map(str::trim) {
        Some("0") => Ok(()),
        Some(code) => bail!("the tests in the emulated machine ended with {code}"),
        None => bail!("the emulated machine never came to the end of its tests"),
    }
}

#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds one integration test of the workspace; the same build as `cargo xtask test` makes.
fn test_binary(name: &str) -> Result<PathBuf> {
    let mut build = cargo::command();
    build.args(["test", "--release", "--locked", "--workspace", "--test", name, "--no-run"]);
    let messages = output(build.arg("--message-format=json").stderr(Stdio::inherit()))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .find(|message| message.target.as_ref().is_some_and(|target| target.name == name))
        .and_then(|message| message.executable)
        .with_context(|| format!("cargo built no test {name}"))
}

/// Copies the shared libraries of a program to where it looks for them.
fn libraries(program: &Path, root: &Path) -> Result<()> {
    let listed = Command::new("ldd").arg(program).output().context("cannot start ldd")?;
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace().filter(|w| w.starts_with('/')) {
        let path = Path::new(word);
        let to = root.join(path.strip_prefix("/").unwrap_or(path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        copy(path, &to)?;
    }
    Ok(())
}

fn pack(root: &Path, ramdisk: &Path) -> Result<()> {
    let archive = fs::File::create(ramdisk).with_context(|| format!("cannot write {}", ramdisk.display()))?;
    let mut shell = Command::new("sh");
    shell.args(["-c", "find . | cpio -o -H newc --quiet"]).current_dir(root);
    cargo::check(shell.stdout(archive))
}

/// A program's path; administrators' folders count as well.
pub(crate) fn which(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("{program} is not installed"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// What a command prints; its failure is an error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(done.status.success(), "{:?} ended with {}", command.get_program(), done.status);
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
