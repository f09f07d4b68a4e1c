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
    /// Whether it may make roles, and so become a member of those that own something.
    pub makes_roles: bool,
    /// Whether it owns the database, and so may drop it.
    pub owns_database: bool,
    /// Roles that it may become, and that are superusers or own something here.
    pub becomes: Vec<String>,
    /// Schemas that it owns, and so may drop with all that is in them.
    pub owned_schemas: Vec<String>,
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
        let owned = schemas.iter().filter(|row| row.get("owned"));
        let creates = schemas.iter().filter(|row| row.get("creates"));
        let becomes = client.query(BECOMES, &[])?;
        Ok(Rights {
            role: role.get("role"),
            database: role.get("database"),
            is_superuser: role.get("superuser"),
            makes_roles: role.get("makes_roles"),
            becomes: becomes.iter().map(|row| row.get(0)).collect(),
            owned_schemas: owned.map(|row| row.get(0)).collect(),
            owns_database: role.get("owns"),
            makes_databases: role.get("makes"),
            creates_in: creates.map(|row| row.get(0)).collect(),
            owned: listed("owned"),
            truncatable: listed("truncatable"),
        })
    };
    let mut read = read;
    read().map(Some).map_err(|error| pg::refused(&error))
}

const ROLE: &str = "\
SELECT r.rolname::text AS role, d.datname::text AS database, r.rolsuper AS superuser, r.rolcreaterole AS makes_roles, r.rolcreatedb AS makes,
    pg_catalog.pg_has_role(d.datdba, 'MEMBER') AS owns
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()";

/// Roles of which it is a member, whether their rights are its own at once or after `SET ROLE`.
const BECOMES: &str = "\
SELECT r.rolname::text FROM pg_catalog.pg_roles r
WHERE r.rolname <> current_user AND pg_catalog.pg_has_role(r.oid, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
    AND (r.rolsuper OR r.rolcreaterole OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files')
        OR EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datdba = r.oid AND d.datname = pg_catalog.current_database())
        OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p'))
        OR EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ringfence')
                AND pg_catalog.has_table_privilege(r.oid, c.oid, 'TRUNCATE'))
        OR EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspowner = r.oid AND n.nspname !~ '^pg_' AND r.rolname !~ '^pg_'))
ORDER BY 1";

const SCHEMAS: &str = "\
SELECT nspname::text, pg_catalog.has_schema_privilege(oid, 'CREATE') AS creates, pg_catalog.pg_has_role(nspowner, 'MEMBER') AS owned
FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND (pg_catalog.has_schema_privilege(oid, 'CREATE') OR pg_catalog.pg_has_role(nspowner, 'MEMBER')) ORDER BY 1";

const TABLES: &str = "\
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, pg_catalog.pg_has_role(c.relowner, 'MEMBER') AS owned,
    pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS truncatable
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ringfence') ORDER BY 1";

impl Rights {
    /// Whether the role can only do its work.
    #[must_use]
    pub fn are_split(&self) -> bool {
        !(self.is_superuser || self.makes_roles || self.owns_database)
            && self.becomes.is_empty()
            && self.owned_schemas.is_empty()
            && self.owned.is_empty()
            && self.truncatable.is_empty()
    }

    /// The statements, for the administrator, by which a role of its own owns what the program only uses.
    #[must_use]
    pub fn split(&self) -> Vec<String> {
        let role = pg::quoted_whole(&self.role);
        let owner = pg::quoted_whole(&format!("{}_owner", self.role));
        let mut statements = vec![format!("CREATE ROLE {owner} LOGIN")];
        if self.is_superuser {
            statements.push(format!("ALTER ROLE {role} NOSUPERUSER"));
        }
        if self.makes_roles {
            statements.push(format!("ALTER ROLE {role} NOCREATEROLE"));
        }
        for other in &self.becomes {
            let other = pg::quoted_whole(other);
            statements.push(format!("REVOKE {other} FROM {role}"));
        }
        if self.owns_database {
            statements.push(format!(
                "ALTER DATABASE {} OWNER TO {owner}",
                pg::quoted_whole(&self.database)
            ));
        }
        statements.push(format!("REASSIGN OWNED BY {role} TO {owner}"));
        let mut schemas: Vec<&String> = self.creates_in.iter().chain(&self.owned_schemas).collect();
        schemas.sort();
        schemas.dedup();
        for schema in schemas {
            let schema = pg::quoted_whole(schema);
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
