//! The numbers that a target gives to new rows: they go on behind the largest one that was loaded.
//!
//! `setval` would stay where the transaction does not, so that each sequence is restarted instead, which is undone with it.

use std::collections::BTreeMap;

use postgres::{Error, Transaction};

use crate::store::postgres::quoted_whole;

/// Whole numbers of a table that come from a sequence: by an identity, a `serial`, or a default that names one.
const COLUMNS: &str = "\
SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, s.relname) AS sequence, q.seqincrement, q.seqmin, q.seqmax, a.attname::text
FROM (SELECT d.refobjid AS sequence, f.adrelid AS of, f.adnum AS number
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
    UNION SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')) u
JOIN pg_catalog.pg_sequence q ON q.seqrelid = u.sequence
JOIN pg_catalog.pg_class s ON s.oid = u.sequence JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = u.of AND a.attnum = u.number AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE u.of = $1::text::regclass AND coalesce(nullif(t.typbasetype, 0), t.oid) IN (20, 21, 23)";

/// A sequence: its step, its bounds, and the columns that it numbers.
struct Sequence {
    step: i64,
    least: i64,
    most: i64,
    columns: Vec<String>,
}

/// Restarts the sequences of these tables, named between quotes, where they would give a number again.
pub(super) fn go_on(transaction: &mut Transaction<'_>, tables: &[String]) -> Result<(), Error> {
    let mut sequences: BTreeMap<String, Sequence> = BTreeMap::new();
    for table in tables {
        for row in transaction.query(COLUMNS, &[table])? {
            let sequence = sequences.entry(row.get(0)).or_insert(Sequence {
                step: row.get(1),
                least: row.get(2),
                most: row.get(3),
                columns: Vec::new(),
            });
            let column = quoted_whole(row.get(4));
            let ends = if sequence.step > 0 { "max" } else { "min" };
            let end = format!("SELECT {ends}({column})::bigint AS n FROM {table}");
            sequence.columns.push(end);
        }
    }
    for (name, sequence) in sequences {
        restart(transaction, &name, &sequence)?;
    }
    Ok(())
}

fn restart(
    transaction: &mut Transaction<'_>,
    name: &str,
    sequence: &Sequence,
) -> Result<(), Error> {
    let is_up = sequence.step > 0;
    let ends = if is_up { "max" } else { "min" };
    let columns = sequence.columns.join(" UNION ALL ");
    let last = format!("SELECT {ends}(n) FROM ({columns}) ends");
    let Some(last) = transaction.query_one(&last, &[])?.get::<_, Option<i64>>(0) else {
        return Ok(());
    };
    let Some(next) = last.checked_add(sequence.step) else {
        return Ok(());
    };
    let now = format!("SELECT last_value, is_called FROM {name}");
    let now = transaction.query_one(&now, &[])?;
    let (given, is_called): (i64, bool) = (now.get(0), now.get(1));
    // Others may be numbered by the same one, so it never goes back.
    let is_behind = match (is_up, is_called) {
        (true, true) => given < last,
        (true, false) => given <= last,
        (false, true) => given > last,
        (false, false) => given >= last,
    };
    if is_behind && (sequence.least..=sequence.most).contains(&next) {
        transaction.batch_execute(&format!("ALTER SEQUENCE {name} RESTART WITH {next}"))?;
    }
    Ok(())
}
