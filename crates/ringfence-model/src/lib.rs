//! What an environment is, and where each of its values comes from.
//!
//! Everything here is pure: file names, file texts and the host's variables go in as data, and a [`resolve::Resolution`]
//! comes out, the same for the same input, with everything that is wrong in it at once. Nothing is read, printed or
//! started.
//!
//! The way through: [`project::Project::assemble`] finds the environments from a manifest and a list of file names;
//! [`select::select`] says which one is meant; [`resolve::resolve`] puts the layers on top of each other;
//! [`block::block`] builds what the child sees.

pub mod block;
pub mod discover;
pub mod document;
pub mod egress;
pub mod environment;
pub mod host;
pub mod layer;
pub mod people;
pub mod project;
pub mod resolve;
pub mod resource;
pub mod select;
pub mod service;
pub mod setting;
pub mod tier;
pub mod value;
pub mod variable;
