//! What the manifest says of what comes in.

use ringfence_diagnostic::Diagnostic;
use ringfence_gateway::config::{Ingress, Network};
use ringfence_gateway::limit::rule;
use ringfence_model::environment::Environment;
use ringfence_model::project::Project;

use super::fault;

/// The limits of an environment's program, and whose word about clients is taken; what is wrong goes to `faults`.
pub(super) fn ingress(
    project: &Project,
    environment: &Environment,
    faults: &mut Vec<Diagnostic>,
) -> Ingress {
    let gateway = &project.gateway;
    let mut ingress = Ingress::default();
    if let Some((written, place)) = gateway.ingress(environment) {
        match rule::parse_inbound(written) {
            Ok(limits) => ingress.limits = limits,
            Err(error) => faults.push(fault::no_inbound_limit(&error, place)),
        }
    }
    for (written, place) in gateway.ingress_proxies(environment) {
        match Network::parse(written) {
            Ok(network) => ingress.proxies.push(network),
            Err(error) => faults.push(fault::no_proxy(&error, place)),
        }
    }
    ingress
}

/// The limits of an environment as they are written; `None` where nothing is limited.
pub(crate) fn written<'a>(project: &'a Project, environment: &Environment) -> Option<&'a str> {
    let written = project.gateway.ingress(environment);
    let written = written.map(|(written, _)| written.trim());
    written.filter(|written| *written != "none")
}
