//! A used-up budget, as client libraries take it.

use std::path::Path;
use std::process::Command;

use crate::clients::{check, client};
use crate::running::{Running, eventually, project};

/// It is told once: no library asks again, though each would after any other 429.
#[test]
fn a_used_up_budget_is_not_asked_for_again() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/clients/with_budget.py");
    for (folder, library) in [
        ("one", "openai"),
        ("two", "openai"),
        ("one", "langchain"),
        ("two", "litellm"),
    ] {
        let Some(python) = client(folder, "bin/python") else {
            return;
        };
        let world = project();
        let manifest = world.read("ringfence.toml");
        let limits = "default = \"200 tokens/day\"";
        world.write(
            "ringfence.toml",
            manifest.replace("default = \"none\"", limits),
        );
        let gateway = Running::start(&world, "dev");
        let mut command = Command::new(&python);
        command.arg(&script).arg(library).env_clear();
        command
            .env("HOME", world.home())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address))
            .env("OPENAI_API_KEY", &gateway.token)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
        check(&command.output().unwrap(), library);
        let is_refused = |line: &&str| line.contains("\"http.response.status_code\":429");
        let records = eventually(|| {
            let records = gateway.records();
            let is_there = records.lines().any(|line| is_refused(&line));
            is_there.then_some(records)
        });
        let refused = records.lines().filter(is_refused).count();
        assert_eq!(refused, 1, "{folder} {library}: {records}");
    }
}
