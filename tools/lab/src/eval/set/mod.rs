//! What is evaluated: pictures of people, and who they are, by the form in which a set comes.

pub(crate) mod fillers;
pub(crate) mod lfw;
pub(crate) mod scenes;
pub(crate) mod templates;
