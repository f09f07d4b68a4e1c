//! Client libraries, each against the gateway of dev and of prod.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::running::{Running, project};

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
