//! Everything that a setting's name says, worked out once for all the files that have it.

use std::collections::HashMap;
use std::rc::Rc;

use crate::name::{self, Credential, Resource, Selector};
use crate::posture::{self, Rule};
use crate::value::{self, Strength, strength};
use crate::vendor;

/// What a name says.
#[derive(Debug, PartialEq, Eq)]
pub struct About {
    /// The name in one spelling for all formats.
    pub canonical: String,
    /// Its words, in capitals.
    pub words: Vec<String>,
    /// Whether, and how, it names the environment.
    pub selector: Option<Selector>,
    /// Whether, and how, it says that the value lets somebody in.
    pub credential: Option<Credential>,
    /// Whether the value is a host.
    pub is_host: bool,
    /// Whether the value lists web origins.
    pub is_origin_list: bool,
    /// Whether a local address is right in it.
    pub is_about_this_machine: bool,
    /// The resource whose name the value is.
    pub resource: Option<Resource>,
    /// The vendor whose world the value chooses.
    pub mode_of: Option<&'static str>,
    /// Which values are careless.
    pub rule: Option<Rule>,
}

impl About {
    /// What `name` says.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let words = name::words(name);
        let canonical = words.join("_");
        Self {
            selector: name::selector(name),
            credential: name::credential(name),
            is_host: name::is_host(name),
            is_origin_list: name::is_origin_list(name),
            is_about_this_machine: name::is_about_this_machine(name),
            resource: Resource::of_name(name),
            mode_of: vendor::mode_of(&canonical),
            rule: posture::rule(&canonical),
            canonical,
            words,
        }
    }
}

impl About {
    /// The part of `value` that lets somebody in: all of a credential, the password of an address.
    #[must_use]
    pub fn secret<'a>(&self, value: &'a str) -> Option<&'a str> {
        let value = value.trim();
        let is_secret = match self.credential {
            Some(Credential::Certain) => value::truth(value).is_none(),
            Some(Credential::Likely) => strength(value) == Strength::Strong,
            None => return value::password_in(value),
        };
        is_secret.then_some(value)
    }

    /// What the secret in `value` is worth; one that repeats the name stands for a secret that is to come.
    #[must_use]
    pub fn strength(&self, name: &str, value: &str) -> Option<Strength> {
        let found = self.secret(value).map(strength)?;
        let repeats = self.words.len() > 1 && value.trim().eq_ignore_ascii_case(name);
        Some(if repeats {
            Strength::Placeholder
        } else {
            found
        })
    }
}

/// The names met so far.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, Rc<About>>);

impl Names {
    /// What `name` says.
    pub fn about(&mut self, name: &str) -> Rc<About> {
        if let Some(known) = self.0.get(name) {
            return Rc::clone(known);
        }
        let about = Rc::new(About::of(name));
        self.0.insert(name.to_owned(), Rc::clone(&about));
        about
    }
}
