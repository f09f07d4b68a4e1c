//! Secrets: an environment's own, readable only by those it was given to.
//!
//! Everything here is pure: bytes of files and keys come in, bytes and opened values go out. No file is read, nothing is
//! printed, and no type that holds a secret has `Debug`, `Display` or `Serialize`.

pub mod dotenvx;
pub mod fingerprint;
pub mod identity;
pub mod redact;
pub mod seal;
pub mod sops;
pub mod value;
