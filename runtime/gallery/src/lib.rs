//! Enrolled templates: the store and the exact matcher
