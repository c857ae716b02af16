//! What is evaluated: a [`set::Set`], by the form in which it comes, and the templates of it.

pub(crate) mod bin;
pub(crate) mod cfp;
pub(crate) mod fillers;
pub(crate) mod lfw;
pub(crate) mod pair_list;
pub(crate) mod people;
pub(crate) mod scenes;
#[expect(clippy::module_inception, reason = "the folder is the module's one noun")]
pub(crate) mod set;
pub(crate) mod templates;
pub(crate) mod tracks;
pub(crate) mod ytf;
