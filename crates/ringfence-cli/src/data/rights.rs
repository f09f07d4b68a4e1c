//! `ringfence doctor ENV`: what the roles that an environment's program uses may do besides its work.

use std::time::Duration;

use ringfence_data::rights::{self, Rights};
use ringfence_model::resource::Resource;
use serde::Serialize;

use super::{Role, desk};
use crate::ambient::Ambient;
use crate::failure::{Failure, exit};
use crate::output::Output;

/// What `--json` prints of a resource.
#[derive(Serialize)]
struct Record {
    resource: String,
    role: String,
    superuser: bool,
    makes_roles: bool,
    owns_database: bool,
    becomes: Vec<String>,
    owned_schemas: Vec<String>,
    owned_tables: usize,
    truncatable_tables: usize,
    may_only_work: bool,
    mend: Vec<String>,
}

/// Prints them; an exit code of 1 says that a role may do more.
pub(crate) fn run(
    environment: &str,
    json: bool,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let desk = desk::open(environment, ambient, output)?;
    let mut records = Vec::new();
    for (resource, target) in desk.targets(None, Role::Program)? {
        let found = rights::rights(&target, PATIENCE)
            .map_err(|error| desk::failed(resource, &desk.environment, &error))?;
        records.extend(found.map(|rights| record(resource, &rights)));
    }
    if json {
        output.print_json(&records)?;
    } else if records.is_empty() {
        output.say("ringfence: no resource here has roles");
    } else {
        output.print(&records.iter().map(page).collect::<String>())?;
    }
    Ok(if records.iter().all(|record| record.may_only_work) {
        exit::FINE
    } else {
        exit::FINDINGS
    })
}

fn record(resource: &Resource, rights: &Rights) -> Record {
    let may_only_work = rights.are_split();
    Record {
        resource: resource.name.clone(),
        role: rights.role.clone(),
        superuser: rights.is_superuser,
        makes_roles: rights.makes_roles,
        owns_database: rights.owns_database,
        becomes: rights.becomes.clone(),
        owned_schemas: rights.owned_schemas.clone(),
        owned_tables: rights.owned.len(),
        truncatable_tables: rights.truncatable.len(),
        may_only_work,
        mend: if may_only_work {
            Vec::new()
        } else {
            rights.split()
        },
    }
}

fn page(record: &Record) -> String {
    let Record { resource, role, .. } = record;
    if record.may_only_work {
        return format!("{resource}  {role} can neither truncate nor drop anything\n");
    }
    let mut text = String::new();
    let mut say = |holds: bool, what: &str| {
        if holds {
            text.push_str(&format!("{resource}  {role} {what}\n"));
        }
    };
    say(
        record.superuser,
        "is a superuser: nothing is out of its reach",
    );
    say(
        record.makes_roles,
        "can make roles, and become one that owns something",
    );
    say(
        !record.becomes.is_empty(),
        &format!("can become {}", record.becomes.join(", ")),
    );
    say(record.owns_database, "owns the database, and can drop it");
    say(
        !record.owned_schemas.is_empty(),
        &format!(
            "owns {}, and can drop what is in there",
            record.owned_schemas.join(", ")
        ),
    );
    say(
        record.owned_tables > 0,
        &format!(
            "owns {} tables, and can drop and change them",
            record.owned_tables
        ),
    );
    say(
        record.truncatable_tables > 0,
        &format!("can truncate {} tables", record.truncatable_tables),
    );
    text.push_str("  to split them, its administrator says:\n");
    for statement in &record.mend {
        text.push_str(&format!("    {statement};\n"));
    }
    text
}
