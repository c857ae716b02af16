//! Frames from V4L2 cameras, files and folders
