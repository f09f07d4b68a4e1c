//! What the gateway that `run` starts refuses: budgets of two, keys of the wrong class, quarantine; and where there is none.

use std::net::TcpListener;
use std::process::Stdio;

use crate::running::{DEV_KEY, eventually};
use crate::shop::{ASK, Staying, Upstream, change, keeps_silent, listens, python, shop};
use crate::world::World;

#[test]
fn two_runs_of_one_environment_work_and_share_no_budget() {
    let world = shop(&Upstream::start());
    let (mut first, _) = Staying::start(&world, &["test"]);
    assert!(first.chat().contains("You said"));
    let (mut second, _) = Staying::start(&world, &["test"]);
    let refused = second.chat();
    assert!(
        refused.starts_with("403 ")
            && refused.contains("resource_closed")
            && refused.contains("`store` in `[gateway]`"),
        "{refused}"
    );
    let flag = second.does(r#"print(ask(os.environ["OFREP_ENDPOINT"] + "/ofrep/v1/evaluate/flags/rate_limiting", os.environ["OFREP_HEADERS"].partition("=")[2], {}))"#);
    assert!(flag.contains("\"value\":false"), "{flag}");
    let said = second.end();
    assert!(
        said.lines().count() == 1
            && said.contains("another run or gateway of `test` keeps its budgets"),
        "{said}"
    );
    assert_eq!(first.end(), "");
    let (mut third, _) = Staying::start(&world, &["test"]);
    assert!(third.chat().contains("You said"));
    // Without budgets there is nothing to share.
    let (mut one, _) = Staying::start(&world, &["dev"]);
    let (mut other, _) = Staying::start(&world, &["dev"]);
    assert!(one.chat().contains("from upstream") && other.chat().contains("from upstream"));
    assert_eq!((one.end(), other.end()), (String::new(), String::new()));
}

#[test]
fn a_budget_outlives_the_run() {
    let world = shop(&Upstream::start());
    change(&world, "ringfence.toml", "5000 tokens/day", "30 tokens/day");
    let mut refused = false;
    for _ in 0..8 {
        let script = ASK
            .replace(
                "print(ask(os.environ[\"OFREP",
                "0 and print(ask(os.environ[\"OFREP",
            )
            .replace("\"hello\"}]", "\"hello\"}], \"max_tokens\": 4");
        let outcome = python(&world, &["run", "test"], &script);
        refused |= outcome.stdout.contains("insufficient_quota");
    }
    assert!(refused);
}

#[test]
fn another_environments_token_and_another_runs_are_refused() {
    let world = shop(&Upstream::start());
    let (mut one, _) = Staying::start(&world, &["dev"]);
    let token = one.does("print(os.environ['OPENAI_API_KEY'])");
    let (mut other, _) = Staying::start(&world, &["dev"]);
    let answer = other.does(&format!(
        "print(ask(os.environ['CHAT_URL'], 'Bearer {}', {{}}))",
        token.trim()
    ));
    assert!(
        answer.starts_with("401 ") && answer.contains("invalid_token"),
        "{answer}"
    );
    let (mut staging, _) = Staying::start(&world, &["staging"]);
    let answer = staging.does(&format!(
        "print(ask(os.environ['CHAT_URL'], 'Bearer {}', {{}}))",
        token.trim()
    ));
    assert!(
        answer.starts_with("401 ") && answer.contains("belongs to `dev`"),
        "{answer}"
    );
}

#[test]
fn where_none_is_wanted_the_settings_are_as_they_are() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    change(
        &world,
        "ringfence.toml",
        "[gateway]",
        "[gateway]\nstart = { default = true, in.dev = false }",
    );
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(
        block.contains(&format!("OPENAI_API_KEY={DEV_KEY}\n")) && !block.contains("OFREP"),
        "{block}"
    );
    let block = world.block(&["run", "staging"]).join("\n");
    assert!(
        block.contains("OPENAI_API_KEY=rf.staging.run.") && block.contains("OFREP_ENDPOINT="),
        "{block}"
    );
}

/// A15 of the accidents: a live payment key in staging; and a test key in production.
#[test]
fn keys_of_the_wrong_class_start_nothing() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    let (live, test) = ("sk_live_51HabcDEFghiJKL", "sk_test_51HabcDEFghiJKL");
    let before = ["staging", "prod"].map(|name| world.read(&format!(".env.{name}")));
    for (environment, key, word) in [
        ("staging", live, "live key outside production"),
        ("prod", test, "test key in production"),
    ] {
        let file = format!(".env.{environment}");
        let text = format!(
            "{}PAY_URL=https://api.stripe.example\nSTRIPE_API_KEY={key}\n",
            world.read(&file)
        );
        world.write(&file, text);
        let words = [
            "[key-of-wrong-class]",
            word,
            "the key of `pay`",
            "start = { default = true",
        ];
        for arguments in [
            &["run", environment][..],
            &["run", environment, "--barrier=full"],
        ] {
            let refused = world.refuses(arguments, &words);
            assert!(!refused.stderr.contains(key), "{refused:?}");
        }
    }
    let [staging, prod] = before;
    world.write(".env.staging", staging);
    let pay = format!("PAY_URL=https://api.stripe.example\nSTRIPE_API_KEY={live}\n");
    world.write(".env.prod", prod + &pay);
    let (outcome, started) = world.try_start(&["run", "prod"]);
    assert!(started || outcome.code == Some(125), "{outcome:?}");
    assert!(!outcome.stderr.contains(live));
}

#[test]
fn production_keeps_the_gateways_floors() {
    let world = shop(&Upstream::start());
    change(&world, "ringfence.toml", "allow = [\"mock\"]", "");
    world.refuses(
        &["run", "prod"],
        &["[production-with-mock]", "allow = [\"mock\"]"],
    );
    change(
        &world,
        "ringfence.toml",
        "[gateway]\n",
        "[gateway]\nallow = [\"mock\"]\n",
    );
    change(
        &world,
        "ringfence.toml",
        "in.test = \"5000 tokens/day\", in.prod = \"60 requests/min\"",
        "in.test = \"none\"",
    );
    world.refuses(
        &["run", "prod"],
        &["[production-without-limits]", "60 requests/min"],
    );
}

#[test]
fn a_key_under_another_name_starts_nothing() {
    let world = shop(&Upstream::start());
    world.write(
        ".env.dev",
        world.read(".env.dev") + &format!("MODEL_KEY={DEV_KEY}\n"),
    );
    let refused = world.refuses(
        &["run", "dev"],
        &[
            "[key-in-another-setting]",
            "`MODEL_KEY` holds the key of `OPENAI_API_KEY`",
            ".env.dev:5",
        ],
    );
    keeps_silent(&refused);
    change(
        &world,
        ".env.dev",
        &format!("MODEL_KEY={DEV_KEY}"),
        "MODEL_KEY=${OPENAI_API_KEY}",
    );
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(block.contains("MODEL_KEY=rf.dev.run."), "{block}");
}

/// A program on a copy of another environment's data tells nobody through the gateway what it may tell nobody itself.
#[test]
fn a_quarantine_holds_through_the_gateway() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    if !world.can_build() {
        return;
    }
    let stores = "DB_URL = { required = false }\n[resources.db]\nkind = \"sqlite\"\nsetting = \"DB_URL\"\ndrop = [\"outbox\"]\n[resources.llm]";
    change(&world, "ringfence.toml", "[resources.llm]", stores);
    world.write(".env.prod", world.read(".env.prod") + "DB_URL=prod.db\n");
    world.write(".env.dev", world.read(".env.dev") + "DB_URL=dev.db\n");
    let sql =
        "import sqlite3; sqlite3.connect('prod.db').execute('CREATE TABLE outbox (body TEXT)')";
    assert!(
        world
            .any_command("python3")
            .args(["-c", sql])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        world.ringfence(&["mark", "prod", "--yes", "prod"]).code,
        Some(0)
    );
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    assert_eq!(
        world.ringfence(&["scrub", "dev", "--yes", "dev"]).code,
        Some(0)
    );
    let outcome = python(&world, &["run", "dev"], ASK);
    assert_eq!(outcome.stdout.matches("403 ").count(), 3, "{outcome:?}");
    assert!(
        outcome.stdout.contains("`pay` is closed in this run")
            && outcome.stdout.contains("ringfence mark dev"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("\"value\":false"), "{outcome:?}");
    // Its mark is asked for before the start, as ever.
    assert!(!upstream.heads().contains("POST"), "{}", upstream.heads());
    assert_eq!(
        world.ringfence(&["mark", "dev", "db", "--yes", "dev"]).code,
        Some(0)
    );
    assert_eq!(
        python(&world, &["run", "dev"], ASK)
            .stdout
            .matches("from upstream")
            .count(),
        3
    );
}

#[test]
fn where_there_is_nothing_to_carry_nothing_is_started() {
    let world = World::new(&[
        ("ringfence.toml", "version = 1\n[environments]\ndev = {}\n"),
        (".env.dev", "A=1\n"),
    ]);
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(!block.contains("OFREP"), "{block}");
    assert!(!world.home().join(".local").exists());
}

/// A fleet's store of limits counts for runs, too.
#[test]
fn runs_share_a_store() {
    let Ok(version) = std::process::Command::new("redis-server")
        .arg("--version")
        .output()
    else {
        eprintln!("skipped: redis-server is not here");
        return;
    };
    assert!(version.status.success());
    let world = shop(&Upstream::start());
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = world.any_command("redis-server");
    server
        .args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--bind",
            "127.0.0.1",
        ])
        .stdout(Stdio::null());
    let mut server = server.spawn().unwrap();
    eventually(|| listens(port).then_some(()));
    change(
        &world,
        "ringfence.toml",
        "PAY_URL =",
        "LIMITS_URL = { required = false }\nPAY_URL =",
    );
    change(
        &world,
        "ringfence.toml",
        "[gateway]",
        "[gateway]\nstore = \"LIMITS_URL\"",
    );
    change(
        &world,
        "ringfence.toml",
        "5000 tokens/day",
        "3 requests/day",
    );
    world.write(
        ".env.test",
        world.read(".env.test") + &format!("LIMITS_URL=redis://localhost:{port}/0\n"),
    );
    let (mut one, _) = Staying::start(&world, &["test"]);
    let (mut other, _) = Staying::start(&world, &["test"]);
    let answers = [one.chat(), other.chat(), one.chat(), other.chat()];
    let passed = answers.each_ref().map(|answer| answer.contains("You said"));
    assert_eq!(passed, [true, true, true, false], "{answers:?}");
    server.kill().unwrap();
    server.wait().unwrap();
    world.refuses(
        &["run", "test"],
        &["the Redis of `LIMITS_URL` cannot be used"],
    );
}
