//! `run --explain`: the plan as a page, or as JSON. Names, hosts and paths; never a value.

use ringfence_diagnostic::render::without_controls;
use ringfence_reach::plan::{Home, Plan, Unnamed};
use serde::Serialize;

use super::gateway::{Carrier, OFREP_ENDPOINT, Row};
use crate::agent::Agent;
use crate::barrier::Demand;
use crate::failure::Failure;
use crate::output::Output;

/// What is explained.
pub(super) struct Explained<'a> {
    pub(super) plan: &'a Plan,
    pub(super) carrier: Option<&'a Carrier>,
    pub(super) demand: Demand,
    pub(super) agent: Option<&'a Agent>,
}

/// A resource that is carried.
#[derive(Serialize)]
struct CarriedRecord<'a> {
    resource: &'a str,
    upstream: &'a str,
    setting: &'a str,
    key: Option<&'a str>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    wanted: &'static str,
    required: &'static str,
    /// The coding agent that was recognised.
    agent: Option<&'static str>,
    /// What the gateway carries that is started with the program.
    gateway: Option<Vec<CarriedRecord<'a>>>,
    /// The limits of what comes in at the ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<&'a str>,
    #[serde(flatten)]
    plan: &'a Plan,
}

pub(super) fn print(
    explained: &Explained<'_>,
    json: bool,
    output: &mut Output,
) -> Result<u8, Failure> {
    let Explained {
        plan,
        carrier,
        demand,
        agent,
    } = explained;
    if json {
        return output.print_json(&Record {
            wanted: demand.wanted.name(),
            required: demand.required.name(),
            agent: agent.map(|agent| agent.name),
            gateway: carrier.map(|carrier| carrier.rows.iter().map(record).collect()),
            ingress: carrier.and_then(|carrier| carrier.ingress.as_deref()),
            plan,
        });
    }
    let mut page = format!(
        "environment  {}\nbarrier      {}, at least {}\nconnections  {}\n",
        plan.environment,
        demand.wanted,
        demand.required,
        match plan.unnamed {
            Unnamed::Closed => "to these alone",
            Unnamed::Learn => "to anything but what belongs to other environments, and noted",
            Unnamed::Open => "to anything but what belongs to other environments",
        }
    );
    if let Some(agent) = agent {
        page.insert_str(
            0,
            &format!(
                "agent        {}: the barrier must be whole, and the home directory is read-only\n",
                agent.name
            ),
        );
    }
    for endpoint in &plan.endpoints {
        page.push_str(&format!(
            "  {endpoint:<40} {}\n",
            endpoint.because.join(", ")
        ));
    }
    for socket in &plan.sockets {
        page.push_str(&format!("  {}\n", socket.display()));
    }
    if let Some(carrier) = carrier {
        gateway(carrier, plan, &mut page);
    }
    if !plan.foreign.is_empty() {
        page.push_str("of others    never reachable\n");
    }
    for foreign in &plan.foreign {
        let target = format!("{}:{}", foreign.host, foreign.port);
        page.push_str(&format!(
            "  {target:<40} belongs to {}\n",
            foreign.environment
        ));
    }
    files(plan, &mut page);
    output.print(&without_controls(&page))
}

fn record(row: &Row) -> CarriedRecord<'_> {
    CarriedRecord {
        resource: &row.resource,
        upstream: &row.upstream,
        setting: &row.setting,
        key: row.key.as_deref(),
    }
}

/// What is reached through the gateway, and what is therefore not reached by the program.
fn gateway(carrier: &Carrier, plan: &Plan, page: &mut String) {
    if let Some(limits) = &carrier.ingress {
        let ports: Vec<String> = plan.ports.iter().map(u16::to_string).collect();
        let ports = match ports.is_empty() {
            true => "none is shown, because `ports` names none".to_owned(),
            false => ports.join(", "),
        };
        page.push_str(&format!("ports        {ports}; within {limits}\n"));
    }
    if carrier.rows.is_empty() && carrier.variables.is_empty() {
        return;
    }
    page.push_str("gateway      started with it, on a free port; the program gets it in the place of these settings\n");
    for row in &carrier.rows {
        let settings: Vec<&str> = [&row.setting]
            .into_iter()
            .chain(&row.key)
            .map(String::as_str)
            .collect();
        page.push_str(&format!(
            "  {:<40} {}\n",
            format!("{} at {}", row.resource, row.upstream),
            settings.join(", ")
        ));
    }
    for (name, _) in &carrier.variables {
        if *name == OFREP_ENDPOINT {
            page.push_str(&format!("  {:<40} {name}\n", "flags"));
        }
    }
    for endpoint in &plan.carried {
        page.push_str(&format!("  {endpoint:<40} through the gateway alone\n"));
    }
}

fn files(plan: &Plan, page: &mut String) {
    let files = &plan.files;
    page.push_str("hidden       where they are there\n");
    for hidden in &files.hidden {
        let path = hidden.path.display().to_string();
        let owner = hidden
            .environment
            .as_deref()
            .filter(|owner| !owner.is_empty());
        let owner = owner
            .map(|owner| format!("belongs to {owner}"))
            .unwrap_or_default();
        page.push_str(format!("  {path:<40} {owner}").trim_end());
        page.push('\n');
    }
    page.push_str("read-only    where they are there\n");
    for path in &files.read_only {
        page.push_str(&format!("  {}\n", path.display()));
    }
    page.push_str("private      empty, and gone afterwards\n");
    for path in &files.private {
        page.push_str(&format!("  {}\n", path.display()));
    }
    if let Some(home) = &files.home {
        let policy = match files.policy {
            Home::Guarded => "guarded: writable, but for what other programs run or obey",
            Home::ReadOnly => "read-only, but for caches",
            Home::Private => "private: empty, and gone afterwards",
        };
        page.push_str(&format!("home         {}, {policy}\n", home.display()));
    }
}
