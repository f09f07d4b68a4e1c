//! PostgreSQL: a row of `ringfence.marker`, which travels with every copy, and a setting of the database, which does not.

use std::convert::Infallible;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Store, StoreError};
use crate::address::{self, Target};
use crate::marker::{COLUMNS, Found, Marker, Place};
use crate::tls;

/// A connection to one database.
pub struct Postgres {
    client: Client,
    address: String,
    patience: Duration,
}

/// Where one is, and what the place says. Catalogs that every role may read; the settings are read from the catalog because a
/// session could be given others.
const PLACE: &str = "\
SELECT (CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
        THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) ELSE '' END),
    d.oid::text,
    (SELECT pg_catalog.substr(setting, 17) FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) setting
        WHERE s.setdatabase = d.oid AND s.setrole = 0 AND setting LIKE 'ringfence.place=%'),
    pg_catalog.substring(pg_catalog.shobj_description(d.oid, 'pg_database'), '\\[ringfence ([^\\]]*)\\]'),
    (SELECT c.oid::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'ringfence' AND c.relname = 'marker')
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

const TABLE: &str = "\
CREATE SCHEMA IF NOT EXISTS ringfence;
CREATE TABLE IF NOT EXISTS ringfence.marker (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    project text NOT NULL, environment text NOT NULL, tier text NOT NULL, resource text NOT NULL, mark text NOT NULL,
    cluster text NOT NULL, database text NOT NULL, address text NOT NULL, stamped text NOT NULL,
    scrubbed text NOT NULL DEFAULT '', sample text NOT NULL DEFAULT '', vectors text NOT NULL DEFAULT '');
COMMENT ON TABLE ringfence.marker IS 'Which environment these data belong to; written by `ringfence mark` alone';
GRANT USAGE ON SCHEMA ringfence TO PUBLIC;
GRANT SELECT ON ringfence.marker TO PUBLIC;
DELETE FROM ringfence.marker;";

impl Postgres {
    /// Connects by the role, and with the encryption, that the address names.
    ///
    /// # Errors
    ///
    /// Where the address makes no sense, nothing answers, or the login is refused.
    pub fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        Self::connect(address::postgres(&target.value, patience)?, patience)
    }

    /// Connects to the server's own database `postgres` instead, from which the named one can be dropped.
    pub(crate) fn beside(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        let mut address = address::postgres(&target.value, patience)?;
        address.config.dbname("postgres");
        Self::connect(address, patience)
    }

    fn connect(address: address::PostgresAddress, patience: Duration) -> Result<Self, StoreError> {
        let client = if address.is_encrypted() {
            let tls = MakeRustlsConnect::new(tls::config(&address.trust)?);
            address.config.connect(tls)
        } else {
            address.config.connect(postgres::NoTls)
        };
        Ok(Self {
            client: client.map_err(|error| refused(&error))?,
            address: address.shown,
            patience,
        })
    }

    /// The connection itself.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The rows of a query, in text. One message a time, so that it works behind any pooler.
    fn rows(&mut self, query: &str) -> Result<Vec<SimpleQueryRow>, StoreError> {
        let messages = self
            .client
            .simple_query(query)
            .map_err(|error| refused(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    fn place(&mut self) -> Result<(Found, bool), StoreError> {
        let rows = self.rows(PLACE)?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::Unreadable("the database does not know itself".into()))?;
        let text = |column: usize| row.get(column).unwrap_or_default().to_owned();
        let said = row.get(2).or(row.get(3));
        let place = said.map_or(Place::Absent, |said| {
            let (mark, environment) = said.split_once(' ').unwrap_or((said, ""));
            Place::Says {
                mark: mark.to_owned(),
                environment: environment.to_owned(),
            }
        });
        let found = Found {
            marker: None,
            place,
            cluster: text(0),
            database: text(1),
            address: self.address.clone(),
        };
        Ok((found, row.get(4).is_some()))
    }

    fn within(&mut self) -> Result<Found, StoreError> {
        let (mut found, has_table) = self.place()?;
        if has_table {
            let rows = self.rows(&format!(
                "SELECT {} FROM ringfence.marker",
                COLUMNS.join(", ")
            ))?;
            found.marker = rows.first().map(marker);
        }
        Ok(found)
    }

    /// Says where the database was marked: by a setting of its own, or, where only a superuser may make one, in its comment.
    fn mark_place(
        transaction: &mut postgres::Transaction<'_>,
        place: &str,
    ) -> Result<(), postgres::Error> {
        let setting = "SELECT pg_catalog.format('ALTER DATABASE %I SET ringfence.place = %L', pg_catalog.current_database(), $1::text)";
        let comment = "SELECT pg_catalog.format('COMMENT ON DATABASE %I IS %L', d.datname,
            pg_catalog.btrim(pg_catalog.regexp_replace(coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), ''), ' ?\\[ringfence [^\\]]*\\]', '')
            || pg_catalog.format(' [ringfence %s]', $1::text))) FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
        let statement: String = transaction.query_one(setting, &[&place])?.get(0);
        let mut inner = transaction.savepoint("place")?;
        match inner.batch_execute(&statement) {
            Ok(()) => inner.commit(),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                inner.rollback()?;
                let statement: String = transaction.query_one(comment, &[&place])?.get(0);
                transaction.batch_execute(&statement)
            }
            Err(error) => Err(error),
        }
    }
}

impl Store for Postgres {
    fn read(&mut self) -> Result<Found, StoreError> {
        let patience = self.patience.as_millis();
        self.rows(&format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {patience}; SET LOCAL search_path = pg_catalog"
        ))?;
        let found = self.within();
        // After an error the transaction is over in any case, and the error is what counts.
        let _ = self.rows("ROLLBACK");
        found
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let (here, _) = self.place()?;
        let mut mark = || {
            let mut transaction = self.client.transaction()?;
            transaction.batch_execute(TABLE)?;
            let row = marker.row(&here);
            let values: Vec<&(dyn ToSql + Sync)> =
                row.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
            transaction.execute(&insert(), &values)?;
            Self::mark_place(
                &mut transaction,
                &format!("{} {}", marker.mark, marker.environment),
            )?;
            transaction.commit()
        };
        mark().map_err(|error| refused(&error))
    }
}

fn marker(row: &SimpleQueryRow) -> Marker {
    let text = |column| Ok::<_, Infallible>(row.get(column).unwrap_or_default().to_owned());
    let Ok(marker) = Marker::of_row(text);
    marker
}

fn insert() -> String {
    let numbers: Vec<String> = (1..=COLUMNS.len())
        .map(|number| format!("${number}"))
        .collect();
    format!(
        "INSERT INTO ringfence.marker ({}) VALUES ({})",
        COLUMNS.join(", "),
        numbers.join(", ")
    )
}

/// The types of a table's columns, for casting what is text.
pub(crate) fn types(
    client: &mut impl postgres::GenericClient,
    table: &str,
    names: &[String],
) -> Result<Vec<String>, StoreError> {
    let query = "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = client
        .query(query, &[&quoted(table)])
        .map_err(|error| refused(&error))?;
    let kind = |name: &String| {
        let found = rows.iter().find(|row| row.get::<_, &str>(0) == name);
        let missing = || StoreError::Unreadable(format!("`{table}` has no column `{name}`"));
        found.map(|row| row.get(1)).ok_or_else(missing)
    };
    names.iter().map(kind).collect()
}

/// A name between quotes; a dot separates the schema from the table.
pub(crate) fn quoted(name: &str) -> String {
    let parts: Vec<String> = name.splitn(2, '.').map(quoted_whole).collect();
    parts.join(".")
}

/// A name between quotes, dots and all.
pub(crate) fn quoted_whole(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What the server or the network said. A server's message names roles and tables, and no password; where it quotes a value, only
/// its code and place are told.
pub(crate) fn refused(error: &postgres::Error) -> StoreError {
    if let Some(said) = error.as_db_error() {
        let code = said.code().code();
        // Classes of SQLSTATE: data exceptions, and what functions raise themselves.
        let quotes = code.starts_with("22") || code.starts_with("P0");
        if !quotes {
            return StoreError::Refused(said.message().to_owned());
        }
        // `COPY orgs, line 1, column name: "…"`
        let place = said.where_().and_then(|place| place.split(':').next());
        let place = place.filter(|place| place.starts_with("COPY "));
        let place = place
            .map(|place| format!(", at {place}"))
            .unwrap_or_default();
        return StoreError::Refused(format!("a value does not fit (SQLSTATE {code}){place}"));
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    StoreError::Unreachable(cause.to_string())
}
