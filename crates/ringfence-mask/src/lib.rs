//! What of a row travels down the chain, and what becomes of it.
//!
//! The upper environment's tables are described as plain data ([`schema`]); [`rule`] says what is wanted of them; [`closure`] makes a
//! plan of it, [`choose`] picks rows, and [`mask`] changes them. [`suggest`] proposes rules for tables that have none, and [`greenmask`]
//! says the same rules to another program.
//!
//! What always holds: the same rows, rules and key give the same result, whatever store they came from. A column that no rule covers
//! does not travel. No type here shows a value or a key.
//!
//! Pure: no files, no network, no clock, no randomness.

pub mod choose;
pub mod closure;
pub mod greenmask;
pub mod key;
pub mod mask;
pub mod rule;
pub mod schema;
pub mod suggest;
