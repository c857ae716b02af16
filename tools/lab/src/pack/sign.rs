//! `arcdoor-lab pack keygen`, `pack sign` and `pack bundle`: who made a pack, and the pack as one file. The files are those of minisign.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::input_file::{read, read_text};
use crate::limits::MAX_KEY_BYTES;
use crate::say::say;
use anyhow::{Context, Result, ensure};
use arcdoor_models::{MANIFEST_FILE, MAX_MANIFEST_BYTES, Pack, SIGNATURE_FILE, TrustedKey};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

/// Arguments of `pack keygen`.
#[derive(clap::Args)]
pub(crate) struct KeygenArgs {
    /// The secret key's file; the public one's is the same with .pub
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Do not protect the secret key with a password
    #[arg(long)]
    no_password: bool,
}

/// Arguments of `pack sign`.
#[derive(clap::Args)]
pub(crate) struct PackSignArgs {
    /// The pack's folder
    dir: PathBuf,
    /// The secret key, as `pack keygen` or minisign made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Arguments of `pack bundle`.
#[derive(clap::Args)]
pub(crate) struct PackBundleArgs {
    /// The pack's folder, signed
    dir: PathBuf,
    /// The archive [default: NAME-VERSION.tar here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Makes a pair of keys; never over one that is there.
pub(crate) fn keygen(args: KeygenArgs) -> Result<()> {
    let pair = if args.no_password {
        KeyPair::generate_unencrypted_keypair()
    } else {
        KeyPair::generate_encrypted_keypair(None)
    };
    let pair = pair.context("cannot make a pair of keys")?;
    let public = args.out.with_added_extension("pub");
    write_new(&args.out, &pair.sk.to_box(None)?.into_string(), 0o600)?;
    write_new(&public, &pair.pk.to_box()?.into_string(), 0o644)?;
    say!("secret key: {} (keep it off the device)", args.out.display())?;
    say!("settings.toml of each device: trusted_keys = [\"{}\"]", pair.pk.to_base64())?;
    Ok(())
}

/// Writes a pack as the one file that `arcdoor pack install` takes.
pub(crate) fn bundle(args: PackBundleArgs) -> Result<()> {
    let pack = Pack::open(&args.dir)?;
    let out = args.out.unwrap_or_else(|| format!("{}-{}.tar", pack.name(), pack.manifest().version).into());
    if !args.dir.join(SIGNATURE_FILE).exists() {
        eprintln!("note: {} is not signed; devices take it only if unsigned packs are allowed", pack.name());
    }
    let mut bytes = Vec::new();
    arcdoor_models::bundle(&args.dir, &mut bytes)?;
    fs::write(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    say!("{}: {} bytes; on the device: arcdoor pack install {0}", out.display(), bytes.len())?;
    Ok(())
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// Signs a pack that is whole, and opens it as a device would.
pub(crate) fn run(args: PackSignArgs) -> Result<()> {
    let problems = Pack::check(&args.dir, None);
    for problem in &problems {
        eprintln!("{problem}");
    }
    ensure!(problems.is_empty(), "{} is not whole; nothing was signed", args.dir.display());
    let text = read_text(&args.key, MAX_KEY_BYTES)?;
    let boxed = || SecretKeyBox::from_string(&text);
    // An unencrypted key answers at once; for an encrypted one, minisign asks for the password.
    let secret = SecretKey::from_unencrypted_box(boxed()?)
        .or_else(|_| SecretKey::from_box(boxed()?, None))
        .with_context(|| format!("{} is no minisign secret key", args.key.display()))?;
    let public = PublicKey::from_secret_key(&secret)?;
    let path = args.dir.join(MANIFEST_FILE);
    let manifest = read(&path, MAX_MANIFEST_BYTES)?;
    let signature = minisign::sign(Some(&public), &secret, manifest.as_slice(), None, None)?;
    let out = args.dir.join(SIGNATURE_FILE);
    fs::write(&out, signature.into_string()).with_context(|| format!("cannot write {}", out.display()))?;
    Pack::open_signed(&args.dir, &[TrustedKey::new(&public.to_base64())?])?;
    say!("{}: signed by {}", args.dir.display(), public.to_base64())?;
    Ok(())
}
