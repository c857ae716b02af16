//! Detect, align, assess, embed
