//! What the source files of one crate say: which file uses which, which other crates, and whether unsafe code is
//! forbidden.
//!
//! A *file* is a module with a file of its own, named by its path from the crate's root (`plan::step`); an inline
//! module belongs to the file that holds it. A file *uses* another where a path in its code (in a `use`, a type, an
//! expression or a macro) ends in an item that the other one defines. Three things are no use of a file:
//!
//! - declaring a child (`mod child;`), for a parent must;
//! - exporting another file's item again (`pub use child::Item`), which gives it a name and needs nothing of it;
//!   who uses the exported name uses the file that defines the item;
//! - anything under `#[cfg(test)]`.
//!
//! So a folder that declares and exports its children, which use what the folder's own file defines, is no circle; a
//! parent that calls its child, which takes the parent's types, is one.
//!
//! What is not followed: names that come by `pub use child::*` count as the exporting file's, a module that was brought
//! in by `use` counts as a whole where it is brought in, and methods are not resolved to the file of their `impl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// A module's path from the crate's root; the root itself is empty.
pub(crate) type File = Vec<String>;

/// The files of one crate.
#[derive(Default)]
pub(crate) struct Sources {
    /// Paths that each file names in its code, as written, but for `use` names being spelt out.
    named: BTreeMap<File, BTreeSet<Vec<String>>>,
    /// What a file exports under a name of its own: (file, name) to the path written; a glob has the name `*`.
    exports: BTreeMap<(File, String), Vec<Vec<String>>>,
    /// Whether the root says `#![forbid(unsafe_code)]`.
    pub(crate) forbids_unsafe: bool,
}

impl Sources {
    /// Reads a crate from its root file (`src/lib.rs` or `src/main.rs`), and every module file that it declares.
    ///
    /// # Errors
    /// A file that cannot be read, or is no Rust.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let folder = root.parent().context("a crate's root has no folder")?;
        let mut load = |file: &[String]| {
            if file.is_empty() {
                return fs::read_to_string(root).with_context(|| format!("cannot read {}", root.display()));
            }
            let stem = folder.join(file.join("/"));
            let flat = stem.with_extension("rs");
            let path = if flat.is_file() { flat } else { stem.join("mod.rs") };
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Self::load(&mut load)
    }

    /// Reads a crate whose files `load` hands out.
    fn load(load: &mut dyn FnMut(&[String]) -> Result<String>) -> Result<Self> {
        let mut sources = Self::default();
        let mut waiting = vec![File::new()];
        while let Some(file) = waiting.pop() {
            let parsed = syn::parse_file(&load(&file)?)
                .with_context(|| format!("cannot parse the module {}", name(&file)))?;
            if file.is_empty() {
                sources.forbids_unsafe = parsed.attrs.iter().any(forbids_unsafe);
            }
            let mut reader =
                Reader { sources: &mut sources, file: file.clone(), module: file, children: Vec::new() };
            reader.sources.named.entry(reader.file.clone()).or_default();
            reader.visit_file(&parsed);
            waiting.append(&mut reader.children);
        }
        Ok(sources)
    }

    /// Which file uses which: every pair once, never a file itself.
    pub(crate) fn arrows(&self) -> BTreeSet<(File, File)> {
        let mut arrows = BTreeSet::new();
        for (file, paths) in &self.named {
            for path in paths {
                let Some(used) = self.owner(path, 0) else { continue };
                if used != *file {
                    arrows.insert((file.clone(), used));
                }
            }
        }
        arrows
    }

    /// The crates that each file names: the first part of every path that begins in no file of this crate.
    pub(crate) fn foreign(&self) -> BTreeSet<(File, String)> {
        let first = |path: &Vec<String>| path.first().filter(|first| *first != "crate").cloned();
        self.named
            .iter()
            .flat_map(|(file, paths)| paths.iter().filter_map(first).map(|name| (file.clone(), name)))
            .collect()
    }

    /// The file that defines what `path` (from `crate`) names, exports followed.
    fn owner(&self, path: &[String], depth: usize) -> Option<File> {
        let (root, rest) = path.split_first()?;
        if root != "crate" || depth > 16 {
            return None;
        }
        let length = (0..=rest.len()).rev().find(|length| self.named.contains_key(&rest[..*length]))?;
        let (file, item) = (rest[..length].to_vec(), rest.get(length));
        let Some(item) = item else { return Some(file) };
        let exported = |name: &str| self.exports.get(&(file.clone(), name.to_owned()));
        if let Some(target) = exported(item).and_then(|targets| targets.first()) {
            let whole: Vec<String> = target.iter().chain(rest.iter().skip(length + 1)).cloned().collect();
            return self.owner(&whole, depth + 1).or(Some(file));
        }
        Some(file)
    }
}

/// A module as people write it.
pub(crate) fn name(file: &[String]) -> String {
    if file.is_empty() { "the crate's root".to_owned() } else { file.join("::") }
}

/// Every circle of files: sets of files of which each reaches each other, sorted.
pub(crate) fn circles(arrows: &BTreeSet<(File, File)>) -> Vec<Vec<File>> {
    let mut reached: BTreeMap<&File, BTreeSet<&File>> = BTreeMap::new();
    for (from, _) in arrows {
        let mut waiting = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(file) = waiting.pop() {
            let next = arrows.iter().filter(|(user, _)| user == file).map(|(_, used)| used);
            waiting.extend(next.filter(|used| seen.insert(*used)));
        }
        reached.insert(from, seen);
    }
    let meets = |a: &File, b: &File| reached.get(a).is_some_and(|seen| seen.contains(b));
    let mut circles: BTreeSet<Vec<File>> = BTreeSet::new();
    for file in reached.keys().filter(|file| meets(file, file)) {
        let circle = reached.keys().filter(|other| meets(file, other) && meets(other, file));
        circles.insert(circle.map(|file| (*file).clone()).collect());
    }
    circles.into_iter().collect()
}

fn forbids_unsafe(attribute: &Attribute) -> bool {
    attribute.path().is_ident("forbid")
        && attribute.parse_args::<syn::Path>().is_ok_and(|lint| lint.is_ident("unsafe_code"))
}

/// Whether these attributes leave an item out of every build but the tests'.
fn test_only(attributes: &[Attribute]) -> bool {
    let cfg_test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    };
    attributes.iter().any(cfg_test)
}

/// Walks one file.
struct Reader<'s> {
    sources: &'s mut Sources,
    file: File,
    /// Where the walk is: the file, and inline modules in it.
    module: Vec<String>,
    /// Module files that this one declares.
    children: Vec<File>,
}

impl Reader<'_> {
    /// A path as written becomes one from `crate`, or one from another crate; a bare local name is nothing.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut base = self.module.clone();
        match first.as_str() {
            "crate" => return Some(path.to_vec()),
            "self" => {}
            "super" => drop(base.pop()),
            child if self.child(child) => base.push(child.to_owned()),
            _ => return (path.len() > 1).then(|| path.to_vec()),
        }
        let mut rest = rest;
        while let Some(("super", further)) = rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            base.pop();
            rest = further;
        }
        Some([vec!["crate".to_owned()], base, rest.to_vec()].concat())
    }

    fn child(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.last().is_some_and(|last| last == name))
    }

    fn note(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path) {
            self.sources.named.entry(self.file.clone()).or_default().insert(path);
        }
    }

    /// The leaves of a `use`: the path written, and the name it gets.
    fn leaves(tree: &UseTree, prefix: &[String], leaves: &mut Vec<(Vec<String>, String)>) {
        let with = |part: String| [prefix, &[part]].concat();
        match tree {
            UseTree::Path(path) => Self::leaves(&path.tree, &with(path.ident.unraw().to_string()), leaves),
            UseTree::Name(name) if name.ident == "self" => {
                leaves.push((prefix.to_vec(), prefix.last().cloned().unwrap_or_default()));
            }
            UseTree::Name(name) => {
                leaves.push((with(name.ident.unraw().to_string()), name.ident.unraw().to_string()))
            }
            UseTree::Rename(name) => {
                leaves.push((with(name.ident.unraw().to_string()), name.rename.unraw().to_string()))
            }
            UseTree::Glob(_) => leaves.push((prefix.to_vec(), "*".to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|item| Self::leaves(item, prefix, leaves)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_file(&mut self, file: &'ast syn::File) {
        // First the children, so that `child::item` is known for one wherever it stands.
        for item in &file.items {
            if let Item::Mod(module) = item
                && module.content.is_none()
                && !test_only(&module.attrs)
            {
                self.children.push([self.file.clone(), vec![module.ident.unraw().to_string()]].concat());
            }
        }
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if test_only(&module.attrs) || module.content.is_none() {
            return;
        }
        self.module.push(module.ident.unraw().to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if test_only(&item.attrs) {
            return;
        }
        let mut leaves = Vec::new();
        Self::leaves(&item.tree, &[], &mut leaves);
        for (path, name) in leaves {
            let exported = !matches!(item.vis, Visibility::Inherited) && self.module == self.file;
            match self.absolute(&path).filter(|path| exported && path[0] == "crate") {
                Some(path) => {
                    self.sources.exports.entry((self.file.clone(), name)).or_default().push(path);
                }
                // An imported crate may be one word.
                None if path.len() == 1 && !self.child(&path[0]) => {
                    self.sources.named.entry(self.file.clone()).or_default().insert(path);
                }
                None => self.note(&path),
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !test_only(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !test_only(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !test_only(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.unraw().to_string()).collect();
        if parts.len() > 1 {
            self.note(&parts);
        }
        visit::visit_path(self, path);
    }

    /// Arguments of a macro are no syntax yet: whatever is written `crate::...` or `super::...` there counts.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let text = item.tokens.to_string().replace(' ', "");
        for start in ["crate::", "super::"] {
            for (at, _) in text.match_indices(start) {
                let rest = text.get(at..).unwrap_or_default();
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                self.note(
                    &path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>(),
                );
            }
        }
        visit::visit_macro(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of these files: (path, text).
    pub(super) fn crate_of(files: &[(&str, &str)]) -> Sources {
        let mut load = |file: &[String]| {
            let found = files.iter().find(|(path, _)| *path == file.join("::"));
            found.map(|(_, text)| (*text).to_owned()).with_context(|| format!("no file {}", file.join("::")))
        };
        Sources::load(&mut load).unwrap()
    }

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        crate_of(files).arrows().iter().map(|(from, to)| format!("{} -> {}", name(from), name(to))).collect()
    }

    #[test]
    fn nested_braces_super_and_paths_in_code_and_macros_are_uses() {
        let found = arrows(&[
            ("", "mod a; mod b; mod c; mod d;"),
            ("a", "use crate::{b::{B, self}, c::C};"),
            ("b", "fn f() { super::c::g(); }"),
            ("c", "fn f() { assert!(crate::d::yes()); }"),
            ("d", ""),
        ]);
        assert_eq!(found, ["a -> b", "a -> c", "b -> c", "c -> d"]);
    }

    #[test]
    fn an_exported_name_leads_to_the_file_that_defines_it() {
        let found = arrows(&[
            ("", "mod a; mod b;"),
            ("a", "mod inner; pub(crate) use inner::Thing; pub struct Own;"),
            ("a::inner", "use super::Own; pub struct Thing;"),
            ("b", "use crate::a::Thing;"),
        ]);
        assert_eq!(found, ["a::inner -> a", "b -> a::inner"]);
    }

    #[test]
    fn a_parent_that_calls_its_child_which_takes_its_type_is_a_circle() {
        let files = [
            ("", "mod a;"),
            ("a", "mod inner; pub struct Own; fn f() { inner::g(&Own) }"),
            ("a::inner", "use super::Own; pub fn g(_: &Own) {}"),
        ];
        let circles = circles(&crate_of(&files).arrows());
        assert_eq!(circles, [[vec!["a".to_owned()], vec!["a".to_owned(), "inner".to_owned()]]]);
    }

    #[test]
    fn tests_are_left_out() {
        let found = arrows(&[
            ("", "mod a; mod b;"),
            ("a", "#[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] mod far;"),
            ("b", "use crate::a::A;"),
        ]);
        assert_eq!(found, ["b -> a"]);
    }

    #[test]
    fn unsafe_is_forbidden_where_the_root_says_so() {
        assert!(crate_of(&[("", "#![forbid(unsafe_code)]")]).forbids_unsafe);
        assert!(!crate_of(&[("", "#![deny(unsafe_code)]")]).forbids_unsafe);
    }
}
