//! Upstreams that speak TLS: verified by the system's roots, or not spoken to.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::running::{Running, project};
use crate::world::World;

const NODE: &str = "/usr/bin/node";

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

/// Speaks HTTP/2 and nothing else.
const SERVER_2: &str = r#"
const http2 = require("node:http2"), fs = require("node:fs");
const [, cert, key] = process.argv;
const server = http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: false });
server.on("stream", (stream, headers) => {
  let body = "";
  stream.on("data", (piece) => (body += piece));
  stream.on("end", () => {
    const has_key = headers.authorization.startsWith("Bearer sk-dev-") && headers[":authority"].startsWith("localhost:");
    const answer = JSON.stringify({ id: "c", choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 }, has_key });
    const is_stream = JSON.parse(body).stream;
    stream.respond({ ":status": 200, "content-type": is_stream ? "text/event-stream" : "application/json" });
    stream.end(is_stream ? `data: ${answer}\n\ndata: [DONE]\n\n` : answer);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
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

/// A server with a certificate of its own making: a program that is told the files of certificate and key.
fn server(world: &World, [program, option, script]: [&str; 3]) -> Server {
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
    let mut child = Command::new(program)
        .args([option, script])
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
    let server = server(&world, ["python3", "-c", SERVER]);
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

#[test]
fn http_2_is_spoken_where_it_is_offered() {
    if !Path::new(NODE).exists() {
        eprintln!("skipped: {NODE} is not there");
        return;
    }
    let world = project();
    let server = server(&world, [NODE, "-e", SERVER_2]);
    let line = format!(
        "OPENAI_BASE_URL=https://localhost:{}/v1\nOPENAI_API_KEY=sk-dev-0123456789\n",
        server.port
    );
    world.write(".env.dev", line);
    let certificate = world.temporary().join("cert.pem");
    let world = world.var("SSL_CERT_FILE", certificate.to_str().unwrap());
    let gateway = Running::start(&world, "dev");
    for _ in 0..4 {
        let (status, _, body) = gateway.chat("");
        assert!(status == 200 && body.contains("\"has_key\":true"), "{body}");
    }
    let (status, _, body) =
        gateway.chat(",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert!(
        status == 200 && body.contains("\"has_key\":true") && body.contains("data: [DONE]"),
        "{body}"
    );
}
