//! What fills a program, crate by crate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::qemu::output;

/// Lists symbols with their sizes, names as in the sources.
const NM: &str = "aarch64-linux-gnu-nm";
/// Crates with a row of their own.
const ROWS: usize = 24;
/// Rows under which several crates are counted.
const FAMILIES: [(&str, &str); 6] = [
    ("tract", "tract (engine)"),
    ("arcdoor_kernels", "arcdoor_kernels"),
    ("arcdoor", "arcdoor"),
    ("core", "std"),
    ("alloc", "std"),
    ("std", "std"),
];

/// The largest crates of a program with symbols, in bytes.
pub(super) fn table(program: &Path) -> Result<String> {
    let symbols =
        output(Command::new(NM).args(["--print-size", "--demangle", "--defined-only"]).arg(program))?;
    Ok(print(&by_crate(&symbols)))
}

fn print(sizes: &BTreeMap<String, u64>) -> String {
    let mut rows: Vec<(&str, u64)> = sizes.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut text =
        String::from("bytes of code and data with a name, by crate; unnamed constants are in no row\n");
    for (name, bytes) in rows.iter().take(ROWS) {
        let _ = writeln!(text, "{bytes:>12}  {name}");
    }
    let rest: u64 = rows.iter().skip(ROWS).map(|(_, bytes)| bytes).sum();
    let all: u64 = rows.iter().map(|(_, bytes)| bytes).sum();
    let _ = write!(text, "{rest:>12}  {} more\n{all:>12}  together", rows.len().saturating_sub(ROWS));
    text
}

/// Sums the lines `ADDRESS SIZE KIND NAME`.
fn by_crate(symbols: &str) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for line in symbols.lines() {
        let mut words = line.splitn(4, ' ');
        let (_, size, kind, name) = (words.next(), words.next(), words.next(), words.next());
        let Some((size, name)) = size.and_then(|size| u64::from_str_radix(size, 16).ok()).zip(name) else {
            continue;
        };
        // `b`: zeros that no file holds.
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("b")) {
            *sizes.entry(family(name)).or_default() += size;
        }
    }
    sizes
}

/// The crate that a demangled name begins with: of `<a::B as c::D>::e`, `a`.
fn family(name: &str) -> String {
    let path = name.trim_start_matches(['<', '&', '[', '(', '*']).trim_start_matches("dyn ");
    let path = path.trim_start_matches("mut ").trim_start_matches("const ");
    let end = path.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    if !rest.starts_with("::") {
        return "C, assembly and what has no crate".to_owned();
    }
    // What is generic over a crate's types is named after what it does with them: `core::ptr::drop_in_place<tract...>`.
    let named = FAMILIES.iter().find(|(prefix, _)| match *prefix {
        "tract" | "arcdoor" => first.starts_with(prefix),
        exact => first == exact,
    });
    named.map_or(first, |(_, family)| family).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_counts_for_the_crate_that_it_belongs_to() {
        let listed = "0000 0000000000000010 t <tract_core::ops::Conv as tract_core::Op>::eval\n\
                      0000 0000000000000020 T arcdoor_kernels::neon::dot\n\
                      0000 0000000000000008 t <&dyn arcdoor::cli::Print as core::fmt::Debug>::fmt\n\
                      0000 0000000000000004 r memcpy\n\
                      0000 0000000000000400 b zeros::of::memory\n\
                      0000 T without_a_size\n";
        let sizes = by_crate(listed);
        let of = |name: &str| sizes.get(name).copied();
        assert_eq!(
            (of("tract (engine)"), of("arcdoor_kernels"), of("arcdoor")),
            (Some(16), Some(32), Some(8))
        );
        assert_eq!(sizes.values().sum::<u64>(), 60);
        assert!(print(&sizes).ends_with("60  together"));
    }
}
