//! A shared store behind TLS: verified, or not spoken to.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::redis::{Redis, RedisError, Server, WhenLost};

use crate::world::{Api, World, eventually};

struct Running {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for `localhost`, and its key.
#[expect(clippy::disallowed_methods, reason = "tests start processes")]
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    command.args(["-nodes", "-days", "2", "-subj", "/CN=a store under test"]);
    command.args(["-addext", "subjectAltName=DNS:localhost"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]);
    let made = command
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    (certificate, key)
}

/// `None` where no Redis is installed that speaks TLS, which is a visible skip unless it must be there.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests start processes"
)]
fn start() -> Option<Running> {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut command = Command::new("redis-server");
    command.args([
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--requirepass",
        "p@ss",
    ]);
    command.args([
        "--tls-auth-clients",
        "no",
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
    ]);
    command.arg(certificate).arg("--tls-key-file").arg(key);
    let child = command
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let running = child.ok().and_then(|mut child| {
        eventually(|| {
            let has_ended = child.try_wait().unwrap().is_some();
            let answers = TcpStream::connect(("127.0.0.1", port)).is_ok();
            (has_ended || answers).then_some(answers)
        })
        .then_some(Running {
            child,
            port,
            folder,
        })
    });
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    if running.is_none() {
        assert!(
            !required.split(',').any(|word| word == "redis-server"),
            "redis-server with TLS is required and not installed"
        );
        eprintln!("skipped: redis-server is not installed, or speaks no TLS");
    }
    running
}

impl Running {
    fn connect(&self, scheme: &str, host: &str, query: &str) -> Result<Redis, RedisError> {
        let url = format!("{scheme}://:p%40ss@{host}:{}/1{query}", self.port);
        Redis::connect(Server::parse(&url).unwrap(), "dev", WhenLost::Deny)
    }
}

#[test]
fn a_store_is_verified_before_it_gets_a_password() {
    let Some(redis) = start() else {
        return;
    };
    let roots = redis.folder.path().join("cert.pem");
    let roots = format!("?ssl_ca_certs={}", roots.display());
    let store = redis.connect("rediss", "localhost", &roots).unwrap();
    let api = Api {
        limits: "2 requests/h",
        ..Api::llm("mock://")
    };
    let world = World::with(&[api], Store::Redis(Box::new(store)));
    let statuses: Vec<u16> = (0..3)
        .map(|_| world.chat(r#","max_tokens":1"#).status)
        .collect();
    assert_eq!(statuses, [200, 200, 429]);
    let why = |scheme, host, query: &str| {
        let refused = redis.connect(scheme, host, query).err().unwrap();
        refused.to_string()
    };
    let stranger = why("rediss", "localhost", "");
    assert!(stranger.contains("UnknownIssuer"), "{stranger}");
    let misnamed = why("rediss", "127.0.0.1", &roots);
    assert!(misnamed.contains("not valid for name"), "{misnamed}");
    let missing = why("rediss", "localhost", "?ssl_ca_certs=/nowhere.pem");
    assert!(
        missing.contains("`ssl_ca_certs` names cannot be read"),
        "{missing}"
    );
    why("redis", "localhost", "");
}
