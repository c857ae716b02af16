//! What developers run
