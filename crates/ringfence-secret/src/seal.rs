//! Who sealed a file.
