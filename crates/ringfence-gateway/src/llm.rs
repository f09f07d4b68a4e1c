//! What passes between OpenAI's clients and servers, read without being written anew.

pub mod events;
pub mod request;
pub(crate) mod usage;
