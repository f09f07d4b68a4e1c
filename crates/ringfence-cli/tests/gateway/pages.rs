//! Flags that change while a program runs, and pages in a browser that ask for them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::clients::client;
use crate::running::{Running, eventually, project};
use crate::world::World;

fn flags(level: &str) -> String {
    format!(
        r#"{{"flags": {{"log_level": {{"state": "ENABLED", "defaultVariant": "{level}",
            "variants": {{"debug": "debug", "warning": "warning"}}}}}}}}"#
    )
}

fn world(level: &str) -> World {
    let world = project();
    world.write("flags.json", flags(level));
    world
}

#[test]
fn a_log_level_changes_while_the_program_runs() {
    let Some(python) = client("one", "bin/python") else {
        return;
    };
    let world = world("debug");
    let mut gateway = Running::start(&world, "dev");
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/clients/with_log_level.py");
    let mut program = Command::new(python)
        .arg(script)
        .env_clear()
        .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address))
        .env("OPENAI_API_KEY", &gateway.token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut until_logged = || {
        let lines = lines.by_ref().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| line != "logged").collect();
        lines
    };
    let all = [
        "fine debug",
        "DEBUG asked for debug",
        "WARNING asked for debug",
    ];
    assert_eq!(until_logged(), all);
    world.write("flags.json", flags("warning"));
    gateway.says("configuration 2 is served");
    assert_eq!(
        until_logged(),
        ["fine warning", "WARNING asked for warning"]
    );
    assert!(program.wait().unwrap().success());
}

/// A server of the page and of the packages that it needs; what the page says comes out.
struct Site {
    port: u16,
    said: Receiver<String>,
}

impl Site {
    fn new(packages: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (say, said) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (packages, say) = (packages.clone(), say.clone());
                std::thread::spawn(move || answer(stream, &packages, &say));
            }
        });
        Self { port, said }
    }

    #[track_caller]
    fn hears(&self) -> String {
        self.said.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn answer(mut stream: TcpStream, packages: &Path, say: &Sender<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    for line in reader.lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or("/");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (kind, body) = if path == "/said" {
        // The test may be over.
        let _ = say.send(query.replace("%20", " "));
        ("text/plain", Vec::new())
    } else if path == "/" {
        ("text/html", include_bytes!("clients/page.html").to_vec())
    } else {
        let file = packages.join(path.trim_start_matches('/'));
        ("text/javascript", std::fs::read(file).unwrap_or_default())
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body));
    let _ = stream.flush();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0; 64]);
}

struct Browser(Child);

impl Browser {
    fn open(world: &World, url: &str) -> Self {
        let profile = world.temporary().join("profile");
        let mut command = world.any_command("chromium");
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn page(site: &Site, gateway: &Running) -> String {
    format!(
        "http://localhost:{}/?base=http://{}&token={}",
        site.port, gateway.address, gateway.token
    )
}

/// The parts that a browser test needs; `None` is a visible skip.
fn parts() -> Option<PathBuf> {
    let provider = "node_modules/@openfeature/ofrep-web-provider/package.json";
    let package = client("node", provider)?;
    let found = Command::new("sh")
        .args(["-c", "command -v chromium"])
        .stdout(Stdio::null())
        .status();
    let is_there = found.unwrap().success();
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        is_there || !required.split(',').any(|word| word == "chromium"),
        "chromium is required and not installed"
    );
    if !is_there {
        eprintln!("skipped: chromium is not installed");
    }
    let folder = package.ancestors().nth(4).unwrap();
    is_there.then(|| folder.to_owned())
}

#[test]
fn a_page_of_this_machine_asks_and_hears_of_a_change() {
    let Some(packages) = parts() else {
        return;
    };
    let world = world("debug");
    let mut gateway = Running::start(&world, "dev");
    let site = Site::new(packages);
    let _browser = Browser::open(&world, &page(&site, &gateway));
    assert_eq!(site.hears(), "asked debug");
    // The page has to listen before there is something to hear.
    eventually(|| {
        let status = gateway.send("GET", "/-/status", &gateway.token, "").2;
        status.contains("\"listeners\":1").then_some(())
    });
    world.write("flags.json", flags("warning"));
    gateway.says("configuration 2 is served");
    assert_eq!(site.hears(), "changed warning");
}

#[test]
fn a_page_of_another_origin_hears_nothing_in_production() {
    let Some(packages) = parts() else {
        return;
    };
    let world = world("debug");
    let gateway = Running::start(&world, "prod");
    let site = Site::new(packages);
    let browser = Browser::open(&world, &page(&site, &gateway));
    assert!(
        site.hears().starts_with("refused"),
        "a page of this machine is none of production's"
    );
    drop((browser, gateway));
    let manifest = world.read("ringfence.toml");
    let origin = format!(
        "[gateway]\norigins = {{ in.prod = [\"http://localhost:{}\"] }}",
        site.port
    );
    world.write("ringfence.toml", manifest.replace("[gateway]", &origin));
    let gateway = Running::start(&world, "prod");
    let _browser = Browser::open(&world, &page(&site, &gateway));
    assert_eq!(site.hears(), "asked debug");
}

#[test]
fn an_origin_that_is_none_starts_nothing() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    for bad in ["*", "https://app.example.com/", "app.example.com"] {
        let origins = format!("[gateway]\norigins = [\"https://app.example.com\", \"{bad}\"]");
        world.write("ringfence.toml", manifest.replace("[gateway]", &origins));
        let refused = world.ringfence(&["gateway", "dev"]);
        assert!(
            refused.code == Some(78)
                && refused.stderr.contains("[invalid-origin]")
                && refused.stderr.contains("ringfence.toml:"),
            "{bad}: {refused:?}"
        );
    }
}
