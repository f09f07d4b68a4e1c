//! Flags: behaviour that differs by environment and is read while the program runs.
//!
//! [`definition`] makes one environment's flags of the manifest's rows and of files in flagd's format; [`rule`] is their
//! targeting language; [`evaluate`] answers one question; [`ofrep`] puts questions and answers into the messages of the
//! OpenFeature Remote Evaluation Protocol.
//!
//! ```
//! use ringfence_flag::definition::{Environment, FlagFile, Sources, build};
//! use ringfence_flag::ofrep::{Request, Service, respond};
//!
//! let file = FlagFile::read("flags.json", r#"{"flags": {"timeout": {
//!     "state": "ENABLED", "variants": {"short": 1.0, "long": 30.0}, "defaultVariant": "long",
//!     "targeting": {"if": [{"==": [{"var": "environment"}, "prod"]}, "short"]}}}}"#).unwrap();
//! let prod = Environment { name: "prod".into(), tier: "production".into() };
//! let (flags, errors) = build(&Sources { files: &[file], ..Sources::default() }, &prod);
//! assert!(errors.is_empty());
//!
//! let service = Service { flags: &flags, at: 0, events: None };
//! let request = Request { method: "POST", path: "/ofrep/v1/evaluate/flags/timeout", body: b"{}", if_none_match: None };
//! let response = respond(&service, &request);
//! assert_eq!(response.status, 200);
//! assert!(String::from_utf8(response.body).unwrap().contains(r#""value":1.0,"#));
//! ```
//!
//! Pure: no file, no network, no clock; the time is handed in. The same inputs give the same bytes.

pub mod definition;
pub mod evaluate;
pub mod ofrep;
pub mod rule;
