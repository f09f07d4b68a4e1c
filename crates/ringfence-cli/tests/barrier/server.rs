//! Real servers: PostgreSQL and Redis, as the person of the scene.

use std::fs;
use std::path::PathBuf;

use crate::ground::{ORDINARY, Who};
use crate::scene::{Outcome, Running, Scene, eventually};

const POSTGRES: &str = "/usr/lib/postgresql/15/bin";

/// A PostgreSQL with a database `app`, and everybody's trust.
pub(crate) struct Postgres {
    folder: PathBuf,
    // Held for its end.
    _server: Running,
}

impl Postgres {
    /// A new cluster that listens at this address. It refuses to be root, so it is `nobody` where the scene is root's.
    pub(crate) fn at(scene: &Scene, address: &str, port: u16) -> Self {
        let folder = PathBuf::from(format!("/srv/postgres-{:?}-{address}", scene.who));
        fs::create_dir(&folder).unwrap();
        if scene.who == Who::Root || crate::ground::is_root() {
            std::os::unix::fs::chown(&folder, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        let data = folder.join("data");
        let shown = data.to_str().unwrap().to_owned();
        let make = format!("{POSTGRES}/initdb -D {shown} -A trust -U app -E UTF8 --no-sync");
        Self::run(scene, &make).succeeded();
        fs::write(
            data.join("pg_hba.conf"),
            "host all all all trust\nlocal all all trust\n",
        )
        .unwrap();
        let start = format!(
            "exec {POSTGRES}/postgres -D {shown} -h {address} -p {port} -k {} -c log_connections=on -c fsync=off 2>>{}/log",
            folder.display(),
            folder.display()
        );
        let server = Running(Self::command(scene, &start).spawn().unwrap());
        let ready = format!("{POSTGRES}/pg_isready -q -h {address} -p {port}");
        eventually("PostgreSQL", || scene.plain(&ready).code == Some(0));
        let create = format!("createdb -h {address} -p {port} -U app app");
        scene.plain(&create).succeeded();
        Self {
            folder,
            _server: server,
        }
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    fn run(scene: &Scene, script: &str) -> Outcome {
        Outcome::of(&Self::command(scene, script).output().unwrap())
    }

    fn command(scene: &Scene, script: &str) -> std::process::Command {
        let user = ORDINARY.to_string();
        let mut words = vec!["sh", "-c", script];
        if scene.who == Who::Root {
            let change = [
                "setpriv",
                "--reuid",
                &user,
                "--regid",
                &user,
                "--clear-groups",
            ];
            words.splice(0..0, change);
        }
        let mut command = scene.command(&words);
        command.current_dir("/");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The server itself ends when its field is dropped; it leaves its folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A Redis at these addresses, in which `who` is a word of the caller's.
pub(crate) fn redis(scene: &Scene, addresses: &str, port: u16, who: &str) -> Running {
    let start = format!(
        "exec redis-server --port {port} --bind {addresses} --protected-mode no --save '' --appendonly no"
    );
    let server = scene.spawn(&["sh", "-c", &start]);
    let address = addresses.split(' ').next().unwrap();
    let set = format!("redis-cli -h {address} -p {port} set who {who} | grep -q OK");
    eventually("Redis", || scene.plain(&set).code == Some(0));
    server
}

/// How many connections a Redis has had, this one not counted.
pub(crate) fn visits(scene: &Scene, address: &str, port: u16) -> u64 {
    let ask = format!("redis-cli -h {address} -p {port} info stats");
    let told = scene.plain(&ask).succeeded().stdout;
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("total_connections_received:"));
    line.unwrap().trim().parse::<u64>().unwrap()
}
