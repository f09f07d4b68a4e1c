//! Client libraries, each against the gateway of dev and of prod.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::running::{Running, project};
use crate::world::World;

/// A client, where it is installed.
pub(crate) fn client(folder: &str, program: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("../gateway-clients")
        .join(folder)
        .join(program);
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    let is_there = path.exists();
    assert!(
        is_there || !required.split(',').any(|word| word == "gateway-clients"),
        "{folder} is required: run crates/ringfence-cli/tests/gateway/clients/install"
    );
    if !is_there {
        eprintln!("skipped: {folder} is not installed");
    }
    is_there.then_some(path)
}

/// Runs a script against the gateways of dev and prod; it must print a line that begins with `fine`.
#[track_caller]
fn works(program: &Path, script: &str) {
    let world = project();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/gateway/clients")
        .join(script);
    let other = world.ringfence(&["gateway", "token", "staging"]).stdout;
    for (environment, model) in [("dev", "small"), ("prod", "large")] {
        let gateway = Running::start(&world, environment);
        let mut command = Command::new(program);
        command.arg(&script).env_clear().env("HOME", world.home());
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address))
            .env("OPENAI_API_KEY", &gateway.token)
            .env("OTHER_TOKEN", other.trim())
            .env("EXPECTED_MODEL", model)
            .env(
                "CLIENTS",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("../gateway-clients"),
            )
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("ENVIRONMENT", environment);
        check(&command.output().unwrap(), environment);
    }
}

/// What the scripts read besides the settings.
const PASSED: [&str; 5] = [
    "OTHER_TOKEN",
    "EXPECTED_MODEL",
    "CLIENTS",
    "LITELLM_LOCAL_MODEL_COST_MAP",
    "ENVIRONMENT",
];

/// Runs a script inside runs of dev and prod, with the gateway that `run` starts and nothing but what it says.
#[track_caller]
fn works_inside(world: &World, program: &Path, script: &str) {
    let manifest = world.read("ringfence.toml");
    let passed = format!("project  = \"assistant\"\npass = {PASSED:?}\n");
    let name = manifest
        .lines()
        .find(|line| line.starts_with("project"))
        .unwrap();
    world.write("ringfence.toml", manifest.replacen(name, &passed, 1));
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/gateway/clients")
        .join(script);
    let other = world.ringfence(&["gateway", "token", "staging"]).stdout;
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../gateway-clients");
    for (environment, model) in [("dev", "small"), ("prod", "large")] {
        let mut command = world.command();
        command
            .args(["run", environment, "--"])
            .arg(program)
            .arg(&script);
        command
            .env("OTHER_TOKEN", other.trim())
            .env("EXPECTED_MODEL", model)
            .env("CLIENTS", &clients)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("ENVIRONMENT", environment);
        check(&command.output().unwrap(), environment);
    }
}

#[test]
fn openai_inside_a_run() {
    if let Some(program) = client("one", "bin/python") {
        works_inside(&project(), &program, "with_openai.py");
    }
}

#[test]
fn openfeature_inside_a_run() {
    if let Some(program) = client("one", "bin/python") {
        works_inside(&project(), &program, "with_ofrep.py");
    }
    if client(
        "node",
        "node_modules/@openfeature/ofrep-web-provider/package.json",
    )
    .is_some()
    {
        works_inside(&project(), Path::new("/usr/bin/node"), "with_ofrep.mjs");
    }
}

#[test]
fn clients_inside_the_example() {
    for folder in ["one", "two", "three"] {
        if let Some(program) = client(folder, "bin/python") {
            works_inside(&example(), &program, "in_the_example.py");
        }
    }
    if client("node", "node_modules/openai/package.json").is_some() {
        works_inside(&example(), Path::new("/usr/bin/node"), "in_the_example.mjs");
    }
}

/// A copy of the example's settings.
fn example() -> World {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/assistant");
    let world = World::new(&[]);
    for name in [
        "ringfence.toml",
        ".env.dev",
        ".env.test",
        ".env.staging",
        ".env.prod",
    ] {
        world.write(name, std::fs::read(folder.join(name)).unwrap());
    }
    world
}

#[track_caller]
pub(crate) fn check(output: &Output, environment: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.starts_with("fine"),
        "{environment}: {said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn python(folder: &str, script: &str) {
    if let Some(program) = client(folder, "bin/python") {
        works(&program, script);
    }
}

#[test]
fn openai_of_today() {
    python("one", "with_openai.py");
}

#[test]
fn openai_of_the_major_before() {
    python("two", "with_openai.py");
}

#[test]
fn openai_in_between() {
    python("three", "with_openai.py");
}

#[test]
fn langchain() {
    python("one", "with_langchain.py");
}

#[test]
fn litellm() {
    python("two", "with_litellm.py");
}

#[test]
fn llama_index() {
    python("three", "with_llama_index.py");
}

#[test]
fn openai_for_node() {
    if client("node", "node_modules/openai/package.json").is_some() {
        works(Path::new("/usr/bin/node"), "with_openai.mjs");
    }
}

#[test]
fn openfeature_for_python() {
    python("one", "with_ofrep.py");
}

#[test]
fn openfeature_for_node_and_the_web() {
    if client(
        "node",
        "node_modules/@openfeature/ofrep-web-provider/package.json",
    )
    .is_some()
    {
        works(Path::new("/usr/bin/node"), "with_ofrep.mjs");
    }
}
