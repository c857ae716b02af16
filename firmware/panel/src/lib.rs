//! What people see: screens and annotated frames
