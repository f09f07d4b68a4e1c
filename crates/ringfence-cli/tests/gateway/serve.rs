//! Serving: environments, floors, reloads, budgets, the end.

use std::time::Duration;

use crate::running::{DEV_KEY, PROD_KEY, Running, eventually, project};

#[test]
fn the_same_question_gets_each_environments_model() {
    let world = project();
    for (environment, model) in [("dev", "small"), ("prod", "large")] {
        let gateway = Running::start(&world, environment);
        let (status, head, body) = gateway.chat("");
        assert_eq!(status, 200, "{head} {body}");
        assert!(body.contains(&format!("\"model\":\"{model}\"")), "{body}");
        let record = eventually(|| gateway.records().lines().next().map(str::to_owned));
        assert!(
            record.contains(&format!(
                "\"deployment.environment.name\":\"{environment}\""
            )),
            "{record}"
        );
        assert_eq!(
            record.contains("gen_ai.input.messages"),
            environment == "dev"
        );
        for key in [DEV_KEY, PROD_KEY] {
            assert!(!record.contains(key) && !head.contains(key) && !body.contains(key));
        }
    }
}

#[test]
fn a_token_of_another_environment_is_refused_and_says_so() {
    let world = project();
    let gateway = Running::start(&world, "prod");
    let strayed = world.ringfence(&["gateway", "token", "dev"]).stdout;
    let (status, _, body) = gateway.send("GET", "/v1/models", strayed.trim(), "");
    assert_eq!(status, 401);
    assert!(
        body.contains("this token belongs to `dev`, and this is the gateway of `prod`"),
        "{body}"
    );
    let bad = world.ringfence(&["gateway", "token", "dev", "a b"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
}

#[test]
fn two_gateways_on_two_machines_share_tokens_by_a_secret() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest
            .replace("[gateway]", "[gateway]\nsecret = \"TOKEN_KEY\"")
            .replace(
                "[resources.llm]",
                "TOKEN_KEY = { secret = true }\n[resources.llm]",
            ),
    );
    for environment in ["dev", "prod", "staging"] {
        let file = format!(".env.{environment}");
        let text = world.read(&file);
        world.write(&file, text + "TOKEN_KEY=0123456789abcdef0123\n");
    }
    let token = || world.ringfence(&["gateway", "token", "dev"]).stdout;
    let first = token();
    std::fs::remove_dir_all(world.home()).unwrap();
    std::fs::create_dir_all(world.home()).unwrap();
    assert_eq!(first, token());
    assert_ne!(
        first,
        world.ringfence(&["gateway", "token", "staging"]).stdout
    );
    world.write(".env.dev", "OPENAI_BASE_URL=mock://\nTOKEN_KEY=short\n");
    let refused = world.ringfence(&["gateway", "token", "dev"]);
    assert!(
        refused.code == Some(78)
            && refused.stderr.contains("TOKEN_KEY")
            && !refused.stderr.contains("short\n"),
        "{refused:?}"
    );
}

/// A15: a live payment key in staging, and a test key in production.
#[test]
fn keys_of_the_wrong_class_start_nothing() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    let payments = "STRIPE_URL = { type = \"url\" }\nSTRIPE_KEY = { secret = true }\n[resources.pay]\nkind = \"http\"\nsetting = \"STRIPE_URL\"\nkey = \"STRIPE_KEY\"\nlimits = \"9 requests/min\"\n[resources.llm]";
    world.write(
        "ringfence.toml",
        manifest.replace("[resources.llm]", payments),
    );
    let set = |environment: &str, key: &str| {
        let text = format!(
            "OPENAI_BASE_URL=mock://\nOPENAI_API_KEY=sk-x-{environment}-0123456789\nSTRIPE_URL=https://api.stripe.example\nSTRIPE_KEY={key}\n"
        );
        world.write(&format!(".env.{environment}"), text);
    };
    let (live, test) = ("sk_live_51HabcDEFghiJKL", "sk_test_51HabcDEFghiJKL");
    for (environment, key, word) in [
        ("staging", live, "live key outside production"),
        ("prod", test, "test key in production"),
    ] {
        set(environment, key);
        let refused = world.ringfence(&["gateway", environment, "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(78), "{refused:?}");
        assert!(
            refused.stderr.contains("[key-of-wrong-class]") && refused.stderr.contains(word),
            "{refused:?}"
        );
        assert!(!refused.stderr.contains(key));
    }
    set("prod", live);
    Running::start(&world, "prod");
}

#[test]
fn a_production_gateway_keeps_its_floors() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    for (from, to, code) in [
        ("allow = [\"mock\"]", "", "production-with-mock"),
        (
            "in.prod = \"metadata\"",
            "in.prod = \"full\"",
            "production-with-full-records",
        ),
        (
            "limits = ",
            "timeout = \"3s\"\n#",
            "production-without-limits",
        ),
    ] {
        world.write("ringfence.toml", manifest.replace(from, to));
        let refused = world.ringfence(&["gateway", "prod"]);
        assert_eq!(refused.code, Some(78), "{refused:?}");
        assert!(refused.stderr.contains(&format!("[{code}]")), "{refused:?}");
        Running::start(&world, "dev");
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    let wrong = manifest
        .replace(
            "record = ",
            "timeout = \"soon\"\nheader = \"a b\"\nrecord = ",
        )
        .replace(
            "\"small\", in.prod = \"large\" }\nmodels.gpt",
            "[{ model = \"a\", price = { input = \"x\" } }] }\nmodels.gpt",
        )
        .replace("default = \"none\"", "default = \"5 apples\"");
    world.write("ringfence.toml", &wrong);
    let refused = world.ringfence(&["gateway", "dev"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    for word in [
        "[invalid-timeout]",
        "[invalid-header]",
        "[invalid-price]",
        "[invalid-limit]",
        "ringfence.toml:",
    ] {
        assert!(refused.stderr.contains(word), "{word}: {refused:?}");
    }
    world.write("ringfence.toml", "version = 1\n[environments]\ndev = {}\n");
    std::fs::remove_file(world.path("flags.json")).unwrap();
    let refused = world.ringfence(&["gateway", "dev"]);
    assert!(
        refused.code == Some(78) && refused.stderr.contains("kind = \"openai\""),
        "{refused:?}"
    );
}

#[test]
fn a_change_is_served_and_a_broken_one_is_not() {
    let world = project();
    let mut gateway = Running::start(&world, "dev");
    world.write(
        ".env.dev",
        format!("OPENAI_BASE_URL=mock://?fail=400\nOPENAI_API_KEY={DEV_KEY}\n"),
    );
    gateway.says("configuration 2 is served");
    assert_eq!(gateway.chat("").0, 400);
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("default = \"none\"", "default = \"5 apples\""),
    );
    let said = gateway.says("the new configuration is refused, and 2 is still served");
    assert!(said.contains("`5 apples` is no limit"), "{said}");
    assert_eq!(gateway.chat("").0, 400);
    // As editors and configuration maps do it: another file under the same name.
    world.write("new.toml", &manifest);
    world.write("new.env", "OPENAI_BASE_URL=mock://\n");
    std::fs::rename(world.path("new.env"), world.path(".env.dev")).unwrap();
    std::fs::rename(world.path("new.toml"), world.path("ringfence.toml")).unwrap();
    gateway.says("is served");
    eventually(|| (gateway.chat("").0 == 200).then_some(()));
    gateway.signal("HUP");
    gateway.says("is served");
}

#[test]
fn a_budget_outlives_a_kill() {
    let world = project();
    let gateway = Running::start(&world, "prod");
    // 20 for the prompt and 4,000 for the answer are reserved; 2 and 3 are used.
    for _ in 0..3 {
        assert_eq!(gateway.chat(r#","max_tokens":4000"#).0, 200);
    }
    std::thread::sleep(Duration::from_millis(1200));
    gateway.signal("KILL");
    drop(gateway);
    let again = Running::start(&world, "prod");
    // What is left of 5,000 does not hold what an untouched budget would.
    let (status, _, body) = again.chat(r#","max_tokens":4975"#);
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("insufficient_quota"), "{body}");
    let (_, head, _) = again.chat(r#","max_tokens":1000"#);
    assert!(head.contains("x-ratelimit-remaining-tokens: 39"), "{head}");
    let second = world.ringfence(&["gateway", "prod"]);
    assert!(
        second.code == Some(78)
            && second
                .stderr
                .contains("another gateway keeps its budgets there"),
        "{second:?}"
    );
}

#[test]
fn the_end_waits_for_requests_under_way() {
    let world = project();
    world.write(".env.dev", "OPENAI_BASE_URL=mock://?latency=1500ms\n");
    let mut gateway = Running::start(&world, "dev");
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| gateway.chat("").0);
        std::thread::sleep(Duration::from_millis(500));
        gateway.signal("TERM");
        assert_eq!(asked.join().unwrap(), 200);
    });
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    assert!(
        gateway
            .records()
            .contains("\"http.response.status_code\":200")
    );
}

#[test]
fn flags_are_checked_before_they_are_served_and_change_while_they_are() {
    let world = project();
    let mut gateway = Running::start(&world, "prod");
    let ask = |gateway: &Running, key: &str| {
        let path = format!("/ofrep/v1/evaluate/flags/{key}");
        gateway.send("POST", &path, &gateway.token, "{}").2
    };
    assert!(ask(&gateway, "timeout").contains("\"value\":5.0,"));
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("in.prod = 5.0", "in.prod = 2.5"),
    );
    gateway.says("configuration 2 is served");
    assert!(ask(&gateway, "timeout").contains("\"value\":2.5,"));
    world.write(
        "flags.json",
        "{\"flags\": {\"a\": {\"state\": \"ON\", \"variants\": {\"x\": 1}}}}",
    );
    let said = gateway.says("is refused, and 2 is still served");
    assert!(
        said.contains("[invalid-flag]") && said.contains("flags.json:1:"),
        "{said}"
    );
    assert!(ask(&gateway, "model").contains("\"value\":\"small\""));
    let refused = world.ringfence(&["gateway", "dev"]);
    assert!(
        refused.code == Some(78) && refused.stderr.contains("[invalid-flag]"),
        "{refused:?}"
    );
}

/// Whatever passes: no secret of the environment is in anything that comes out.
#[test]
fn nothing_that_is_written_or_answered_holds_a_secret() {
    let world = project();
    let manifest = world.read("ringfence.toml");
    let more = "DB_PASSWORD = { secret = true, required = false }\n[resources.llm]";
    world.write("ringfence.toml", manifest.replace("[resources.llm]", more));
    let password = "pA55/w0rd+with\\marks";
    let line = format!("DB_PASSWORD='{password}'\n");
    world.write(".env.dev", world.read(".env.dev") + &line);
    let mut gateway = Running::start(&world, "dev");
    let escaped = password.replace('\\', "\\\\");
    let mut came = String::new();
    for body in [
        format!(
            r#"{{"model":"chat","messages":[{{"role":"user","content":"{escaped} {DEV_KEY}"}}]}}"#
        ),
        format!(r#"{{"model":"{DEV_KEY}","messages":[]}}"#),
        format!(
            r#"{{"model":"chat","stream":true,"messages":[{{"role":"user","content":"{DEV_KEY}"}}]}}"#
        ),
    ] {
        let (_, head, body) = gateway.send("POST", "/v1/chat/completions", &gateway.token, &body);
        came += &head;
        came += &body;
    }
    eventually(|| (gateway.records().lines().count() == 3).then_some(()));
    gateway.signal("TERM");
    let mut said = String::new();
    std::io::Read::read_to_string(gateway.rest(), &mut said).unwrap();
    let records = gateway.records();
    assert!(
        records.contains("[redacted:DB_PASSWORD]") && records.contains("[redacted:OPENAI_API_KEY]"),
        "{records}"
    );
    for secret in [password, escaped.as_str(), DEV_KEY, gateway.token.as_str()] {
        assert!(
            !records.contains(secret) && !said.contains(secret),
            "{secret} in {records} {said}"
        );
    }
    assert!(!came.is_empty());
}
