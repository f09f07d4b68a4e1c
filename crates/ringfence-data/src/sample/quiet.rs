//! Keeps what a store does by itself silent while its rows are written, and lets it speak again exactly as before.
//!
//! A trigger or a rule of the target that tells somebody of each row must not hear of a sample. Foreign keys and other constraints are no
//! part of this: they hold. In PostgreSQL what was disabled, or enabled in another way, is that again afterwards, partitions included.

use postgres::{Error, Transaction};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// The triggers and rules of a table and of its partitions that would fire: the statements that silence each, and that end that.
const SPEAKING: &str = "\
WITH RECURSIVE own AS (SELECT $1::text::regclass::oid AS oid
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN own ON i.inhparent = own.oid)
SELECT pg_catalog.format('ALTER TABLE ONLY %I.%I DISABLE %s %I', n.nspname, c.relname, s.what, s.name),
    pg_catalog.format('ALTER TABLE ONLY %I.%I ENABLE %s %s %I', n.nspname, c.relname, CASE s.state WHEN 'A' THEN 'ALWAYS' ELSE '' END, s.what, s.name)
FROM own JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN (SELECT tgrelid, 'TRIGGER', tgname, tgenabled FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT ev_class, 'RULE', rulename, ev_enabled FROM pg_catalog.pg_rewrite WHERE ev_type <> '1') s (of, what, name, state) ON s.of = c.oid
WHERE s.state IN ('O', 'A') AND c.relkind IN ('r', 'p') ORDER BY 1";

/// What was silenced in PostgreSQL.
pub(crate) struct Silenced(Vec<String>);

/// Lets nobody else write into tables, named between quotes, until the transaction ends.
pub(crate) fn lock(transaction: &mut Transaction<'_>, tables: &[String]) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    transaction.batch_execute(&format!(
        "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
        tables.join(", ")
    ))
}

/// Silences tables, named between quotes, within a transaction.
pub(crate) fn silence(
    transaction: &mut Transaction<'_>,
    tables: &[String],
) -> Result<Silenced, Error> {
    let mut again = Vec::new();
    for table in tables {
        for row in transaction.query(SPEAKING, &[table])? {
            transaction.batch_execute(row.get(0))?;
            again.push(row.get(1));
        }
    }
    Ok(Silenced(again))
}

impl Silenced {
    /// Lets everything speak again. A constraint that waits keeps a table from being altered, so it is looked at first.
    pub(crate) fn end(self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        transaction.batch_execute("SET CONSTRAINTS ALL IMMEDIATE")?;
        for statement in self.0 {
            transaction.batch_execute(&statement)?;
        }
        Ok(())
    }
}

/// Silences all triggers of a file for this connection, which is nobody else's.
pub(crate) fn silence_file(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .map(|_| ())
}
