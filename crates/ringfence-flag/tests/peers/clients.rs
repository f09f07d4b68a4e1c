//! OpenFeature's own clients of OFREP, from PyPI and npm, unmodified, against the messages that we make.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use ringfence_flag::definition::{Environment, FlagFile, FlagSet, Sources, build};
use ringfence_flag::ofrep::{Request, Service, respond};
use serde_json::{Value as Json, json};

use crate::differential::is_there;
use crate::packages;

const FLAGS: &str = r#"{"metadata": {"version": "7"}, "flags": {
  "truth": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
  "whole": {"state": "ENABLED", "variants": {"a": 600}, "defaultVariant": "a"},
  "float": {"state": "ENABLED", "variants": {"a": 600.0}, "defaultVariant": "a"},
  "object": {"state": "ENABLED", "variants": {"a": {"x": [1, "b"]}}, "defaultVariant": "a"},
  "a/b c": {"state": "ENABLED", "variants": {"a": "slash"}, "defaultVariant": "a"},
  "off": {"state": "DISABLED", "variants": {"a": "on"}, "defaultVariant": "a"},
  "none": {"state": "ENABLED", "variants": {"a": "on"}, "defaultVariant": null},
  "broken": {"state": "ENABLED", "variants": {"a": "on"}, "targeting": {"nothing": []}},
  "plan": {"state": "ENABLED", "variants": {"s": "small", "l": "large"}, "defaultVariant": "s",
           "targeting": {"if": [{"and": [{"==": [{"var": "plan"}, "pro"]}, {"==": [{"var": "environment"}, "prod"]}]}, "l"]}}
}}"#;

fn set() -> FlagSet {
    let file = FlagFile::read("flags.json", FLAGS).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    build(&sources, &environment).0
}

/// A server of a few lines, for as long as the test runs.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let set = set();
        for stream in listener.incoming().flatten() {
            // A client may leave in the middle; that is its affair.
            let _ = answer(&set, &stream);
        }
    });
    address
}

fn answer(set: &FlagSet, mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let request = Request {
        method,
        path: target.split('?').next().unwrap(),
        body: &body,
        if_none_match: header("if-none-match"),
    };
    let service = Service {
        flags: set,
        at: 0,
        events: None,
    };
    let response = respond(&service, &request);
    let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", response.body.len()));
    stream.write_all(text.as_bytes())?;
    stream.write_all(&response.body)
}

fn said(command: &mut Command) -> Json {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_client_of_python() {
    let packages = [
        "openfeature-provider-ofrep==0.3.0",
        "openfeature-sdk==0.10.0",
    ];
    let found = packages::python("ofrep-python-0.3.0", &packages);
    if !is_there("ofrep-python", found.as_ref()) {
        return;
    }
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", found.unwrap());
    python.args(["-c", include_str!("client.py"), &serve()]);
    assert_eq!(
        said(&mut python),
        json!({
            "truth": [true, "on", "STATIC", null],
            "whole": [600, "a", "STATIC", null],
            "float": [600.0, "a", "STATIC", null],
            "object": [{"x": [1, "b"]}, "a", "STATIC", null],
            "a/b c": ["slash", "a", "STATIC", null],
            "off": ["default", "", "DISABLED", null],
            "none": ["default", "", "DEFAULT", null],
            "broken": ["default", null, "ERROR", "PARSE_ERROR"],
            "gone": ["default", null, "ERROR", "FLAG_NOT_FOUND"],
            "plan free": ["small", "s", "DEFAULT", null],
            "plan pro": ["large", "l", "TARGETING_MATCH", null],
        })
    );
}

#[test]
fn the_clients_of_node() {
    let packages = [
        "@openfeature/ofrep-provider@0.1.3",
        "@openfeature/server-sdk@1.23.0",
        "@openfeature/ofrep-web-provider@0.4.3",
        "@openfeature/web-sdk@1.10.0",
    ];
    let found = packages::node("ofrep-node-0.1.3", &packages);
    if !is_there("ofrep-node", found.as_ref()) {
        return;
    }
    let mut node = Command::new("node");
    node.env("NODE_PATH", found.unwrap());
    node.args(["-e", include_str!("client.js"), &serve()]);
    let plain = json!({
        "truth": [true, "on", "STATIC", null],
        "whole": [600, "a", "STATIC", null],
        "float": [600, "a", "STATIC", null],
        "object": [{"x": [1, "b"]}, "a", "STATIC", null],
        "a/b c": ["slash", "a", "STATIC", null],
        "broken": ["default", null, "ERROR", "PARSE_ERROR"],
        "gone": ["default", null, "ERROR", "FLAG_NOT_FOUND"],
        "plan free": ["small", "s", "DEFAULT", null],
        "plan pro": ["large", "l", "TARGETING_MATCH", null],
    });
    let said = said(&mut node);
    for (key, expected) in plain.as_object().unwrap() {
        assert_eq!(said["server"][key], *expected, "server: {key}");
        assert_eq!(said["web"][key], *expected, "web: {key}");
    }
    // Without a value, the program's default holds in both; the server's client says so as an error.
    for key in ["off", "none"] {
        assert_eq!(said["server"][key][0], "default");
        assert_eq!(said["web"][key][0], "default");
    }
}
