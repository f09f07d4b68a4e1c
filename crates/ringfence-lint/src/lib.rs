//! Checks across a project's environments: where its files say what nobody meant.
//!
//! [`survey::Survey::of`] turns the texts of a project's files into its environments; [`checks::run`] looks at them with
//! every check of the registry; [`baseline`] tells old findings from new ones; [`fix`] applies what is safe. Everything is
//! pure: texts go in as data, findings come out, the same for the same input. A finding never holds a value.
//!
//! ```
//! use ringfence_diagnostic::Sources;
//! use ringfence_lint::{checks, survey::{Input, RawFile, Survey}};
//!
//! let file = |path: &str, text: &str| RawFile { path: path.to_owned(), text: Ok(text.to_owned()) };
//! let files = vec![
//!     file(".env.dev", "DEBUG=true\nDATABASE_URL=postgres://localhost/app\n"),
//!     file(".env.prod", "DEBUG=true\nDATABASE_URL=postgres://db.example.com/app\n"),
//! ];
//! let survey = Survey::of(Input { files, ..Input::default() }, Sources::new());
//! let findings = checks::run(&survey);
//! assert_eq!(findings[0].check, "debug-in-production");
//! ```

pub mod about;
pub mod baseline;
pub mod check;
pub mod checks;
pub mod finding;
pub mod fix;
pub mod layout;
pub mod name;
pub mod posture;
pub mod praise;
pub mod schema;
pub mod sealed;
pub mod survey;
pub mod value;
pub mod vendor;
