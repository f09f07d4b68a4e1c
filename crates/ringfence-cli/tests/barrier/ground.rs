//! Where scenarios happen: namespaces of their own, so that a broken barrier breaks nothing else and no packet leaves.
//!
//! A test starts itself again under `unshare`: a network that is a loopback carrying the addresses of every oracle, a
//! process table that ends with the test, and fresh `/srv`, `/tmp`, `/run` and `/dev/shm`. What the scenarios call the
//! host is this ground. Root gets no user namespace here, so that root inside is the machine's own root; anybody else gets
//! one and keeps their user id.

use std::any::type_name;
use std::process::Command;

use crate::scene::Scene;

/// Set for the process on the ground.
const ON_GROUND: &str = "RINGFENCE_TEST_GROUND";

/// The user that stands for everybody who is not root: `nobody`.
pub(crate) const ORDINARY: u32 = 65534;

/// Names that the ground's own resolver knows without asking.
const HOSTS: &str = "127.0.0.1 localhost\n10.10.0.5 db cache.dev.internal\n\
     10.20.0.5 db.prod.internal api.prod.internal control.prod.internal\n10.30.0.5 tls.dev.internal tls.prod.internal\n\
     10.30.0.6 pypi.org files.pythonhosted.org registry.npmjs.org\n";

/// Addresses of the oracles: dev, prod, a balancer that both share, registries, a resolver, the metadata services, somewhere else.
const ADDRESSES: &str = "10.10.0.5/32 10.20.0.5/32 10.30.0.5/32 10.30.0.6/32 8.8.8.8/32 169.254.169.254/32 192.0.2.1/32 fd00:ec2::254/128";

/// Lays the ground, as its root. The build folder may lie under `/tmp`, so the binary moves first. Process ids start high:
/// an id of the ground then never exists inside a barrier by chance.
const LAY: &str = r#"
mount -t tmpfs -o mode=755,nodev ground /srv
mkdir /srv/bin /srv/etc /srv/suid
for name in ringfence test; do touch /srv/bin/$name; done
mount --bind "$BINARY" /srv/bin/ringfence
mount --bind "$TEST" /srv/bin/test
printf '%s' "$HOSTS" >/srv/etc/hosts
echo 'nameserver 8.8.8.8' >/srv/etc/resolv.conf
for name in hosts resolv.conf; do mount --bind /srv/etc/$name "$(readlink -f /etc/$name)"; done
for folder in /tmp /run /dev/shm; do mount -t tmpfs -o mode=1777,nosuid,nodev ground $folder; done
ip link set lo up
for address in $ADDRESSES; do ip address add $address dev lo; done
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range || echo 0 0 >/proc/sys/net/ipv4/ping_group_range
echo 20000 >/proc/sys/kernel/ns_last_pid || true
"#;

/// As whom a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    User,
}

impl Who {
    /// Everybody whose part can be played here: root can play both, anybody else only themselves.
    fn all() -> &'static [Self] {
        if is_root() {
            &[Self::Root, Self::User]
        } else {
            &[Self::User]
        }
    }
}

/// Whether the test process is root on the ground.
pub(crate) fn is_root() -> bool {
    user_id() == 0
}

/// The test process' user id.
pub(crate) fn user_id() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

/// Runs a scenario on a ground of its own, once as root and once as an ordinary user, if everything it needs is here. The
/// first call starts the test again on the ground, under the scenario's own name; there the scenario itself is run.
pub(crate) fn scenario<F: Fn(&Scene)>(needs: &[&str], body: F) {
    if let Ok(who) = std::env::var(ON_GROUND) {
        let who = Who::all().iter().find(|one| format!("{one:?}") == who);
        return body(&Scene::new(*who.unwrap()));
    }
    if !has("barrier") || !needs.iter().all(|need| has(need)) {
        return;
    }
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    let name = path.split_once("::").unwrap().1;
    for who in Who::all() {
        let output = ground(name, *who).output().unwrap();
        let told =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        assert!(status.success(), "as {who:?}: {status}\n{told}");
        assert!(told.contains("1 passed"), "{name} is no test:\n{told}");
    }
}

/// The test of this name, on a new ground. It may take minutes when the machine is busy, and never hangs.
fn ground(name: &str, who: Who) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--kill-after=5", &patience(), "unshare"]);
    command.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork"]);
    command.args(["--kill-child", "--mount-proc", "--propagation=private"]);
    let start = r#"exec setsid /srv/bin/test --exact "$0" --nocapture --include-ignored"#;
    let identity = if is_root() {
        start.to_owned()
    } else {
        command.args(["--user", "--map-root-user"]);
        let user = user_id();
        start.replace(
            "setsid",
            &format!("setsid unshare --user --map-user={user} --map-group={user}"),
        )
    };
    command.args(["sh", "-euc", &(LAY.to_owned() + &identity), name]);
    command
        .env(ON_GROUND, format!("{who:?}"))
        .env("TEST", std::env::current_exe().unwrap())
        .env("BINARY", binary())
        .env("HOSTS", HOSTS)
        .env("ADDRESSES", ADDRESSES);
    command
}

/// The binary that is tested: the one just built, or another, such as a released one.
fn binary() -> String {
    let built = env!("CARGO_BIN_EXE_ringfence");
    std::env::var("RINGFENCE_TEST_BINARY").unwrap_or_else(|_| built.to_owned())
}

fn patience() -> String {
    std::env::var("RINGFENCE_TEST_PATIENCE").unwrap_or_else(|_| "240".to_owned())
}

/// Whether a tool or a kernel feature is here, or a visible note that it is not; where `RINGFENCE_TEST_REQUIRES` names it,
/// it must be.
pub(crate) fn has(need: &str) -> bool {
    let found = match need {
        "barrier" => namespaces_work(),
        "root" => is_root(),
        "postgres" => is_file("/usr/lib/postgresql/15/bin/initdb") && on_path("psql"),
        "redis" => on_path("redis-server") && on_path("redis-cli"),
        tool => on_path(tool),
    };
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        found || !required.split(',').any(|word| word == need),
        "{need} must work here"
    );
    if !found {
        eprintln!("not run: {need} is not here");
    }
    found
}

fn on_path(tool: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .any(|folder| is_file(&format!("{folder}/{tool}")))
}

fn is_file(path: &str) -> bool {
    std::fs::exists(path).unwrap()
}

/// Whether the machine lets an ordinary user make the namespaces that a barrier is made of.
fn namespaces_work() -> bool {
    let mut command = Command::new("unshare");
    if is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg("unshare");
    }
    command.args([
        "-Urmnpiuf",
        "--mount-proc",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/mnt",
    ]);
    on_path("ip") && command.output().is_ok_and(|output| output.status.success())
}

/// A figure that a long run raises.
pub(crate) fn figure(variable: &str, short: u32) -> u32 {
    std::env::var(variable).map_or(short, |text| text.parse().unwrap())
}
