//! An emulated machine: Debian's kernel, a ramdisk of tests, and the console that says how they ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{cargo, fetch};

/// Programs that every machine needs, and the Debian packages that bring them.
const NEEDED: [(&str, &str); 3] = [("modprobe", "kmod"), ("cpio", "cpio"), ("dpkg-deb", "dpkg")];
/// The longest that the emulated machine may run.
const LIMIT: &str = "600";
/// Before the test's exit code, on the console.
pub(super) const ENDED: &str = "arcdoor-test-ended-with";
/// What every machine does first.
const BEGIN: &str = "#!/bin/busybox sh\nexport PATH=/bin\n/bin/busybox --install -s /bin\n\
    mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n";

/// Which processor is emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arch {
    /// This computer's, as it comes.
    Amd64,
    /// A board's: a Cortex-A53, of which every instruction takes a nanosecond. So its clock is the same on every host, however
    /// busy.
    Arm64,
    /// A Raspberry Pi 3, as far as the emulator has it: its own chips for lines, card and serial port, and the device tree of
    /// Debian's kernel.
    Pi3,
}

impl Arch {
    /// As Debian calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 | Self::Pi3 => "arm64",
        }
    }

    const fn emulator(self) -> (&'static str, &'static str) {
        match self {
            Self::Amd64 => ("qemu-system-x86_64", "qemu-system-x86"),
            Self::Arm64 | Self::Pi3 => ("qemu-system-aarch64", "qemu-system-arm"),
        }
    }

    const fn hardware(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &["-M", "q35", "-cpu", "max", "-smp", "2", "-m", "1024", "-serial", "stdio"],
            Self::Arm64 => &[
                "-M",
                "virt",
                "-cpu",
                "cortex-a53",
                "-m",
                "1024",
                "-icount",
                "shift=0,sleep=off",
                "-serial",
                "stdio",
            ],
            // The tree gives the first serial port to Bluetooth; the second is the console's.
            Self::Pi3 => &["-M", "raspi3b", "-serial", "null", "-serial", "stdio"],
        }
    }

    /// Where Debian's kernel has the board's device tree; `None` where the emulator makes one.
    const fn device_tree(self) -> Option<&'static str> {
        match self {
            Self::Amd64 | Self::Arm64 => None,
            Self::Pi3 => Some("broadcom/bcm2837-rpi-3-b.dtb"),
        }
    }

    /// What the kernel is told. On a busy host the emulated timer looks broken to it, and it would stop there.
    const fn kernel(self) -> &'static str {
        match self {
            Self::Amd64 => "console=ttyS0 quiet panic=-1 no_timer_check",
            Self::Arm64 => "console=ttyAMA0 quiet panic=-1",
            Self::Pi3 => "console=ttyS1,115200 quiet panic=-1",
        }
    }

    /// Where the kernel is kept.
    const fn folder(self) -> &'static str {
        match self {
            Self::Amd64 => "kernel",
            Self::Arm64 | Self::Pi3 => "kernel-arm64",
        }
    }
}

/// What a machine is made of until it boots.
pub(super) struct Machine {
    pub(super) arch: Arch,
    pub(super) kernel: Kernel,
    /// Where what serves every machine is kept.
    pub(super) work: PathBuf,
    /// Its own, which goes with it: two may run at once.
    pub(super) dir: PathBuf,
    root: PathBuf,
    /// Modules' files under /modules, in the order in which they load, with their options.
    modules: Vec<String>,
}

impl Machine {
    /// An empty one with Debian's kernel. `also`: programs, and their packages, that this one needs.
    pub(super) fn new(arch: Arch, also: &[(&str, &str)]) -> Result<Self> {
        installed(arch, also)?;
        let work = fetch::cache_dir()?.join("qemu");
        let kernel = kernel(arch, &work)?;
        let dir = work.join(format!("{arch:?}-{}", std::process::id()));
        let root = dir.join("root");
        for dir in ["bin", "modules", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(root.join(dir))?;
        }
        let machine = Self { arch, kernel, work, dir, root, modules: Vec::new() };
        copy(&busybox(arch, &machine.work)?, &machine.root.join("bin/busybox"))?;
        Ok(machine)
    }

    /// The folder that becomes its file system.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Copies a program, with its libraries, into /bin.
    pub(super) fn put(&mut self, program: &Path, name: &str) -> Result<()> {
        copy(program, &self.root.join("bin").join(name))?;
        libraries(program, &self.root)
    }

    /// Copies a pack's folder to /packs.
    pub(super) fn put_pack(&self, pack: &Path) -> Result<()> {
        let to = self.root.join("packs").join(pack.file_name().unwrap_or_default());
        fs::create_dir_all(&to)?;
        for file in fs::read_dir(pack)? {
            let file = file?;
            copy(&file.path(), &to.join(file.file_name()))?;
        }
        Ok(())
    }

    /// Loads a module of the kernel's, and before it what it needs.
    pub(super) fn load(&mut self, module: &str, options: &str) -> Result<()> {
        let mut modprobe = Command::new(which("modprobe")?);
        modprobe.args(["--show-depends", "-S", &self.kernel.version, "-d"]).arg(&self.kernel.dir).arg(module);
        let listed = output(&mut modprobe)?;
        let paths: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.strip_prefix("insmod "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        ensure!(!paths.is_empty(), "the kernel has no module {module}");
        for (index, path) in paths.iter().enumerate() {
            self.load_file(Path::new(path), if index + 1 == paths.len() { options } else { "" })?;
        }
        Ok(())
    }

    /// Loads a module from a file.
    pub(super) fn load_file(&mut self, path: &Path, options: &str) -> Result<()> {
        let name = path.file_name().context("a module without a name")?.to_string_lossy().into_owned();
        copy(path, &self.root.join("modules").join(&name))?;
        self.modules.push(format!("{name} {options}"));
        Ok(())
    }

    /// Loads the modules, runs `prepare`, then each of `tests` out of /bin, tells, and powers off.
    pub(super) fn boot(self, prepare: &str, tests: &[&str]) -> Result<()> {
        let mut script = format!("{prepare}\nsleep 1\nuname -srm\nresult=0\n");
        for test in tests {
            script.push_str(&format!("/bin/{test} --test-threads=1 --nocapture || result=$?\n"));
        }
        script.push_str(&format!("echo {ENDED} $result\npoweroff -f\n"));
        self.play(&script, &[]).map(drop)
    }

    /// Loads the modules and runs this script, which says how it ended (`arcdoor-test-ended-with CODE`) and powers off.
    /// `devices`: arguments of the emulator's. What the console said.
    pub(super) fn play(&self, script: &str, devices: &[&str]) -> Result<String> {
        let mut whole = BEGIN.to_owned();
        for module in &self.modules {
            whole.push_str(&format!("insmod /modules/{module}\n"));
        }
        whole.push_str(script);
        let init = self.root.join("init");
        fs::write(&init, whole)?;
        make_executable(&init)?;
        let ramdisk = self.dir.join("ramdisk");
        pack(&self.root, &ramdisk)?;
        boot(self.arch, &self.kernel, &ramdisk, devices)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Debian's kernel.
pub(super) struct Kernel {
    image: PathBuf,
    /// The unpacked package.
    dir: PathBuf,
    pub(super) version: String,
}

/// That the programs are there which a machine, and what is `also` named, needs.
fn installed(arch: Arch, also: &[(&str, &str)]) -> Result<()> {
    let of_arch = [arch.emulator(), ("busybox", "busybox-static")];
    let needed = NEEDED.iter().chain(&of_arch).chain(also);
    let missing: Vec<&str> =
        needed.filter(|(program, _)| which(program).is_err()).map(|(_, package)| *package).collect();
    ensure!(missing.is_empty(), "this needs Debian's packages; apt-get install {}", missing.join(" "));
    Ok(())
}

/// Whether a machine can be made without fetching anything: the programs, Debian's kernel, and the module of simulated lines.
pub(super) fn is_there(arch: Arch, also: &[(&str, &str)]) -> Result<()> {
    installed(arch, also)?;
    let work = fetch::cache_dir()?.join("qemu");
    ensure!(work.join(arch.folder()).join("boot").is_dir(), "Debian's kernel was not fetched");
    let ending = format!("-{}.ko", arch.name());
    let is_module = |name: &str| name.starts_with("gpio-sim-") && name.ends_with(&ending);
    let has_module =
        fs::read_dir(&work)?.flatten().any(|file| is_module(&file.file_name().to_string_lossy()));
    ensure!(has_module, "the module of simulated lines was not built");
    Ok(())
}

/// A shell and its tools, one static file.
fn busybox(arch: Arch, work: &Path) -> Result<PathBuf> {
    if arch == Arch::Amd64 {
        return which("busybox");
    }
    let dir = work.join(format!("busybox-{}", arch.name()));
    if !dir.is_dir() {
        unpack(&format!("busybox-static:{}", arch.name()), &dir)?;
    }
    Ok(dir.join("bin/busybox"))
}

/// Downloads one of Debian's packages and unpacks it into `dir`.
fn unpack(package: &str, dir: &Path) -> Result<()> {
    let debs = dir.with_extension("deb");
    fs::create_dir_all(&debs)?;
    cargo::check(Command::new("apt-get").args(["download", "-qq", package]).current_dir(&debs))?;
    let deb = fs::read_dir(&debs)?.next().context("apt-get downloaded nothing")??.path();
    cargo::check(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(dir))?;
    Ok(fs::remove_dir_all(debs)?)
}

/// Downloads and unpacks Debian's kernel, once.
fn kernel(arch: Arch, work: &Path) -> Result<Kernel> {
    let dir = work.join(arch.folder());
    if !dir.join("boot").is_dir() {
        fs::create_dir_all(work)?;
        let newest = format!("linux-image-{0}:{0}", arch.name());
        let depends = output(Command::new("apt-cache").args(["depends", &newest]));
        let package = depends
            .ok()
            .and_then(|depends| {
                let is_one = |word: &&str| word.starts_with("linux-image-") && **word != newest;
                depends.split_whitespace().find(is_one).map(str::to_owned)
            })
            .with_context(|| {
                format!(
                    "apt-cache knows no {newest}: dpkg --add-architecture {}; apt-get update",
                    arch.name()
                )
            })?;
        eprintln!("fetching {package} (70 MB) ...");
        unpack(&package, &dir)?;
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

fn boot(arch: Arch, kernel: &Kernel, ramdisk: &Path, devices: &[&str]) -> Result<String> {
    eprintln!("booting (emulated; at most {LIMIT} s) ...");
    let mut qemu = Command::new("timeout");
    qemu.args([LIMIT, arch.emulator().0]).args(arch.hardware()).args(devices);
    qemu.args(["-display", "none", "-no-reboot", "-nic", "none", "-append", arch.kernel()]);
    if let Some(tree) = arch.device_tree() {
        let trees = kernel.dir.join("usr/lib").join(format!("linux-image-{}", kernel.version));
        qemu.arg("-dtb").arg(trees.join(tree));
    }
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(ramdisk).stdin(Stdio::null());
    let console = qemu.stderr(Stdio::inherit()).output().context("cannot start the emulator")?;
    let text = String::from_utf8_lossy(&console.stdout).into_owned();
    println!("{text}");
    let code = text.lines().find_map(|line| line.trim().strip_prefix(ENDED));
    match code.map(str::trim) {
        Some("0") => Ok(text),
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

/// Builds one integration test of `packages`, an argument of cargo's.
pub(super) fn test_binary(packages: &[&str], name: &str) -> Result<PathBuf> {
    test_binary_by(cargo::command(), packages, name)
}

/// The same by a cargo that is set to build for another processor.
pub(super) fn test_binary_by(mut build: Command, packages: &[&str], name: &str) -> Result<PathBuf> {
    build.args(["test", "--release", "--locked"]).args(packages).args(["--test", name, "--no-run"]);
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

pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
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
