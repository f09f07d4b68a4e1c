//! The gateway of one environment: carries a program's HTTP and LLM traffic to the environment's own upstreams.
//!
//! It takes plain data ([`config::Config`]), puts keys in, maps models, limits and records. What always holds: a request sees one
//! snapshot of the configuration from its beginning to its end; no key and no other secret leaves in an answer or a record; a
//! failed stream never ends as if it were whole.

mod answer;
pub mod caller;
pub mod config;
pub mod key;
pub mod limit;
pub mod llm;
pub mod record;
pub mod serve;
pub mod status;
mod upstream;
