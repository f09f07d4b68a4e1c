//! What the role that a program uses may do to its database besides its work.

use std::time::Duration;

use crate::address::{Kind, Target};
use crate::store::StoreError;
use crate::store::postgres::{self as pg, Postgres};

/// The rights of one role, as the catalogs have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// The role.
    pub role: String,
    /// The database.
    pub database: String,
    /// Whether it is a superuser.
    pub is_superuser: bool,
    /// Whether it owns the database, and so may drop it.
    pub owns_database: bool,
    /// Whether it may make databases.
    pub makes_databases: bool,
    /// The schemas in which it may make, and its own in which it may drop, tables.
    pub creates_in: Vec<String>,
    /// Tables that it owns, and so may drop or change.
    pub owned: Vec<String>,
    /// Tables that it may truncate.
    pub truncatable: Vec<String>,
}

/// Reads the rights of the role that an address names; `None` for stores without roles.
///
/// # Errors
///
/// Where the store cannot be asked.
pub fn rights(target: &Target, patience: Duration) -> Result<Option<Rights>, StoreError> {
    if target.kind != Kind::Postgres {
        return Ok(None);
    }
    let mut store = Postgres::open(target, patience)?;
    let read = || -> Result<Rights, postgres::Error> {
        let client = store.client();
        let role = client.query_one(ROLE, &[])?;
        let tables = client.query(TABLES, &[])?;
        let listed = |column: &str| {
            let rows = tables.iter().filter(|row| row.get(column));
            rows.map(|row| row.get::<_, String>("name")).collect()
        };
        let schemas = client.query(SCHEMAS, &[])?;
        Ok(Rights {
            role: role.get("role"),
            database: role.get("database"),
            is_superuser: role.get("superuser"),
            owns_database: role.get("owns"),
            makes_databases: role.get("makes"),
            creates_in: schemas.iter().map(|row| row.get(0)).collect(),
            owned: listed("owned"),
            truncatable: listed("truncatable"),
        })
    };
    let mut read = read;
    read().map(Some).map_err(|error| pg::refused(&error))
}

const ROLE: &str = "\
SELECT r.rolname::text AS role, d.datname::text AS database, r.rolsuper AS superuser, r.rolcreatedb AS makes, pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owns
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()";

const SCHEMAS: &str = "\
SELECT nspname::text FROM pg_catalog.pg_namespace
WHERE pg_catalog.has_schema_privilege(oid, 'CREATE') AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1";

const TABLES: &str = "\
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
    pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS truncatable
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ringfence') ORDER BY 1";

impl Rights {
    /// Whether the role can only do its work.
    #[must_use]
    pub fn are_split(&self) -> bool {
        !(self.is_superuser || self.owns_database)
            && self.owned.is_empty()
            && self.truncatable.is_empty()
    }

    /// The statements, for the administrator, by which a role of its own owns what the program only uses.
    #[must_use]
    pub fn split(&self) -> Vec<String> {
        let role = pg::quoted(&self.role);
        let owner = pg::quoted(&format!("{}_owner", self.role));
        let mut statements = vec![format!("CREATE ROLE {owner} LOGIN")];
        if self.is_superuser {
            statements.push(format!("ALTER ROLE {role} NOSUPERUSER"));
        }
        if self.owns_database {
            statements.push(format!(
                "ALTER DATABASE {} OWNER TO {owner}",
                pg::quoted_whole(&self.database)
            ));
        }
        statements.push(format!("REASSIGN OWNED BY {role} TO {owner}"));
        for schema in &self.creates_in {
            let schema = pg::quoted(schema);
            statements.push(format!(
                "REVOKE CREATE ON SCHEMA {schema} FROM {role}, PUBLIC"
            ));
            statements.push(format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
            statements.push(format!(
                "REVOKE TRUNCATE ON ALL TABLES IN SCHEMA {schema} FROM {role}"
            ));
            statements.push(format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
            ));
            statements.push(format!(
                "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
            ));
            statements.push(format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
            ));
        }
        statements
    }
}
