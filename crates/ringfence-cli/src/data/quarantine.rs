//! What is left in reach of a program that works on a copy of another environment's data: its stores, and nothing that could be told
//! about the people in them.

use std::collections::BTreeSet;

use ringfence_data::address::{self, Kind};
use ringfence_model::resolve::Resolution;
use ringfence_reach::plan::{Plan, Unnamed};
use ringfence_sandbox::level::Level;

use super::{Marks, Role, targets};
use crate::barrier::Demand;
use crate::load::Loaded;

/// Takes everything but stores out of a plan.
pub(crate) fn close(plan: &mut Plan, loaded: &Loaded, resolution: &Resolution) {
    let mut stores: BTreeSet<&str> = BTreeSet::new();
    for (resource, target) in targets(loaded, resolution, Role::Program) {
        if target.kind != Kind::Http {
            stores.extend(resource.setting.as_deref());
            for name in address::endpoints(target.kind) {
                stores.insert(name);
            }
        }
    }
    let named = |because: &String| stores.contains(because.as_str());
    plan.endpoints
        .retain(|endpoint| endpoint.because.iter().any(named));
    plan.unnamed = Unnamed::Closed;
}

/// A quarantine that nothing enforces is none: the network's wall has to stand.
pub(crate) fn demand(marks: &Marks, demand: Demand) -> Demand {
    if marks.quarantined.is_empty() {
        return demand;
    }
    Demand {
        wanted: demand.wanted.max(Level::Full),
        required: demand.required.max(Level::NetworkOnly),
    }
}
