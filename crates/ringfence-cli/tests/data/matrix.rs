//! What survives which way of copying, and what the two marks say of it afterwards.

use std::process::Command;

use crate::markers::{mark, project};
use crate::servers::{Cluster, has};
use crate::world::World;

/// What `mark --look` says of a store at `address` in `environment`.
#[track_caller]
fn look(world: &World, environment: &str, address: &str) -> String {
    world.write(
        &format!(".env.{environment}"),
        format!("DB_URL={address}\n"),
    );
    let outcome = world.ringfence(&["mark", environment, "--look"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

#[track_caller]
fn check(world: &World, address: &str, own: &str, others: &str) {
    let said = look(world, "prod", address);
    assert!(said.contains(own), "in prod should be {own:?}: {said}");
    let said = look(world, "staging", address);
    assert!(
        said.contains(others),
        "in staging should be {others:?}: {said}"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn what_survives_what_on_postgresql() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::new();
    let other = Cluster::new();
    let url = cluster.database("origin");
    cluster.sql("origin", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let world = project("postgres", &[("prod", &url), ("staging", &url)]);
    mark(&world, "prod");
    check(&world, &url, "marked prod", "belongs to `prod`");

    // A plain dump beside the original: the row travels, the setting does not.
    cluster.database("dumped");
    cluster.shell("pg_dump origin | psql -q dumped >/dev/null");
    check(
        &world,
        &cluster.url("dumped"),
        "a copy of prod's own: it was marked as another database",
        "a copy of `prod`: it was marked as another database",
    );
    // A plain dump into another cluster.
    other.database("dumped");
    let to = other.port;
    cluster.shell(&format!(
        "pg_dump origin | psql -q -p {to} dumped >/dev/null"
    ));
    check(
        &world,
        &other.url("dumped"),
        "a copy of prod's own: it was marked on another server",
        "a copy of `prod`: it was marked on another server",
    );
    // With the database's own settings: the place mark comes along, and the place is another.
    cluster.shell(&format!(
        "pg_dump -C origin | psql -q -p {to} postgres >/dev/null"
    ));
    let setting = "SELECT setting FROM pg_db_role_setting s, unnest(setconfig) setting, pg_database d WHERE d.oid = setdatabase AND datname = 'origin'";
    assert!(other.sql("origin", setting).starts_with("ringfence.place="));
    check(
        &world,
        &other.url("origin"),
        "a copy of prod's own: it was marked on another server",
        "a copy of `prod`: it was marked on another server",
    );
    // A template copy: the same server, another database.
    cluster.sql("postgres", "CREATE DATABASE templated TEMPLATE origin");
    check(
        &world,
        &cluster.url("templated"),
        "a copy of prod's own: it was marked as another database",
        "a copy of `prod`: it was marked as another database",
    );
    // A physical copy is the same in everything but its address, until its administrator says what it is.
    let clone = cluster.physical_copy();
    let there = clone.url("origin");
    check(
        &world,
        &there,
        "marked prod, at another address",
        "belongs to `prod`",
    );
    clone.sql("postgres", "ALTER DATABASE origin RESET ringfence.place");
    check(
        &world,
        &there,
        "a copy of prod's own: its place has no mark",
        "a copy of `prod`: its place has no mark",
    );
    // A restore that left the marker out, and a database made anew in the place.
    cluster.sql("origin", "DROP SCHEMA ringfence CASCADE");
    check(
        &world,
        &url,
        "emptied",
        "emptied: its place is marked for `prod`",
    );
    cluster.sql("postgres", "DROP DATABASE origin");
    cluster.database("origin");
    check(&world, &url, "unmarked", "unmarked");
}

#[test]
fn what_survives_what_on_sqlite() {
    let world = project("sqlite", &[("prod", "origin.db"), ("staging", "origin.db")]);
    mark(&world, "prod");
    let sqlite = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(world.project());
        assert!(shell.status().unwrap().success(), "{script}");
    };
    sqlite("sqlite3 origin.db 'CREATE TABLE t (a); INSERT INTO t VALUES (1)'");
    check(&world, "origin.db", "marked prod", "belongs to `prod`");
    sqlite(
        "cp origin.db copied.db; sqlite3 origin.db \"VACUUM INTO 'vacuumed.db'\"; sqlite3 origin.db .dump | sqlite3 dumped.db; sqlite3 origin.db \".backup backup.db\"",
    );
    for copy in ["copied.db", "vacuumed.db", "dumped.db", "backup.db"] {
        check(
            &world,
            copy,
            "a copy of prod's own: it was marked on another server, or as another file",
            "a copy of `prod`: it was marked on another server, or as another file",
        );
    }
    sqlite("sqlite3 origin.db VACUUM; mv origin.db moved.db");
    check(
        &world,
        "moved.db",
        "marked prod, at another address",
        "belongs to `prod`",
    );
    sqlite("sqlite3 moved.db 'DROP TABLE ringfence_marker'");
    check(&world, "moved.db", "emptied", "emptied");
    // An application that uses the number itself keeps it, and a copy is still told by its file.
    sqlite("sqlite3 own.db 'PRAGMA application_id = 4242; CREATE TABLE t (a)'");
    world.write(".env.prod", "DB_URL=own.db\n");
    mark(&world, "prod");
    sqlite("cp own.db own-copy.db");
    check(&world, "own.db", "marked prod", "belongs to `prod`");
    check(
        &world,
        "own-copy.db",
        "a copy of prod's own",
        "a copy of `prod`",
    );
    let number = Command::new("sqlite3")
        .args(["own.db", "PRAGMA application_id"])
        .current_dir(world.project())
        .output()
        .unwrap();
    assert_eq!(number.stdout, b"4242\n");
}
