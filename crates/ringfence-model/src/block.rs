//! What the child sees: its environment block, built from nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::environment::Environment;
use crate::host::Host;
use crate::project::Project;
use crate::resolve::Resolution;
use crate::variable::{ENVIRONMENT, OWN_PREFIX, TIER, is_ordinary, opens_secrets};

/// A child's environment block.
pub struct Block {
    /// Names and values, by name.
    pub variables: BTreeMap<OsString, OsString>,
    /// Host variables that would have changed a setting or a selector, and did not.
    pub ignored: Vec<String>,
}

/// Builds the block: the ordinary host variables, those that the manifest passes, the settings, and the selectors.
#[must_use]
pub fn block(
    project: &Project,
    environment: &Environment,
    resolution: &Resolution,
    host: &Host,
) -> Block {
    let mut variables = BTreeMap::new();
    for (name, value) in host.iter().filter(|(name, _)| is_passed(project, name)) {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let mut own: BTreeMap<&str, &str> = BTreeMap::new();
    // Who has the key of callers' tokens can be any caller.
    let withheld = project.gateway.secret().map(|(name, _)| name);
    for (name, setting) in &resolution.settings {
        if withheld != Some(name.as_str()) {
            own.insert(name, setting.value.expose());
        }
    }
    for (name, value) in selectors(project, environment, resolution) {
        own.insert(name, value);
    }
    let ignored = own.iter().filter(|(name, value)| {
        host.get(name)
            .is_some_and(|theirs| theirs != OsStr::new(value))
            && !name.starts_with(OWN_PREFIX)
    });
    let ignored = ignored.map(|(name, _)| (*name).to_owned()).collect();
    variables.extend(
        own.into_iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value))),
    );
    Block { variables, ignored }
}

fn is_passed(project: &Project, name: &OsStr) -> bool {
    let passed = |name: &str| project.pass.iter().any(|passed| passed == name);
    name.to_str()
        .is_some_and(|name| is_ordinary(name) || (passed(name) && !opens_secrets(name)))
}

/// The variables that name the environment: the project's selector in the project's own spelling, `NODE_ENV` in a Node
/// project whose files do not set it, and Ringfence's own.
fn selectors<'a>(
    project: &Project,
    environment: &'a Environment,
    resolution: &'a Resolution,
) -> Vec<(&'a str, &'a str)> {
    let mut selectors = vec![
        (ENVIRONMENT, environment.name.as_str()),
        (TIER, environment.tier.name()),
    ];
    let is_set = |name: &str| {
        resolution
            .settings
            .get(name)
            .is_some_and(|setting| !setting.value.expose().is_empty())
    };
    if !is_set(&resolution.selector) {
        selectors.push((&resolution.selector, &environment.name));
    }
    if project.is_node && !is_set("NODE_ENV") {
        selectors.push(("NODE_ENV", environment.tier.node_env()));
    }
    selectors
}
