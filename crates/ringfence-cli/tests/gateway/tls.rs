//! Upstreams that speak TLS: verified by the system's roots, or not spoken to.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::running::{Running, project};
use crate::world::World;

const SERVER: &str = r#"
import http.server, ssl, sys
class Chat(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Authorization"]
        body = b'{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}' if key.startswith("Bearer sk-dev-") else b'{"error":"no key"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

struct Server {
    child: Child,
    port: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with a certificate of its own making.
fn server(world: &World) -> Server {
    let path = |name: &str| world.temporary().join(name);
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=a gateway under test",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
        ])
        .arg(path("key.pem"))
        .arg("-out")
        .arg(path("cert.pem"))
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let mut child = Command::new("python3")
        .args(["-c", SERVER])
        .arg(path("cert.pem"))
        .arg(path("key.pem"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    Server {
        child,
        port: port.trim().to_owned(),
    }
}

#[test]
fn only_a_verified_upstream_gets_the_key() {
    let world = project();
    let server = server(&world);
    let line = format!(
        "OPENAI_BASE_URL=https://localhost:{}/v1\nOPENAI_API_KEY=sk-dev-0123456789\n",
        server.port
    );
    world.write(".env.dev", line);
    let gateway = Running::start(&world, "dev");
    let (status, _, body) = gateway.chat("");
    assert!(
        status == 502 && body.contains("upstream_unreachable") && body.contains("certificate"),
        "{body}"
    );
    drop(gateway);
    let certificate = world.temporary().join("cert.pem");
    let world = world.var("SSL_CERT_FILE", certificate.to_str().unwrap());
    let gateway = Running::start(&world, "dev");
    let (status, _, body) = gateway.chat("");
    assert!(status == 200 && body.contains("\"usage\""), "{body}");
}
