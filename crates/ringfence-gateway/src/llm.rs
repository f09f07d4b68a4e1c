//! What passes between OpenAI's clients and servers, read without being written anew.

pub(crate) mod events;
pub(crate) mod request;
pub(crate) mod usage;
