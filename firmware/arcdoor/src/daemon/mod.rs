//! The loop at the door.

pub mod r#loop;
