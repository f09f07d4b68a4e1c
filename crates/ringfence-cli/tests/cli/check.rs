//! `ringfence check` as people and machines see it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::floor_plan::workspace;
use crate::world::{Outcome, World};

const DEV: &str = "DEBUG=true\nSESSION_SECRET=9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c\nDATABASE_URL=postgres://app:wk3Rv8Lq2Zt9@db.example.com/app\n";
const PROD: &str = "DEBUG=true\nSESSION_SECRET=9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c\nDATABASE_URL=postgres://app:wk3Rv8Lq2Zt9@db.example.com/app\nGREETING=hello world # said\n";

fn project() -> World {
    World::new(&[(".env.dev", DEV), (".env.prod", PROD)])
}

fn checks(outcome: &Outcome) -> Vec<String> {
    let record: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let findings = record["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["check"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn findings_are_data_with_place_consequence_and_help() {
    let world = project();
    let outcome = world.ringfence(&["check"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stderr, "");
    for part in [
        "critical[shared-resource]: `dev` and `prod` use one database",
        "--> .env.prod:3:1",
        "::: .env.dev:3:1",
        "= so: what `dev` writes, empties or migrates is the data of `prod`",
        "= help: give `dev` a database of its own in `DATABASE_URL`",
        "high[debug-in-production]",
        "environments: dev, prod",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part} is not in\n{}",
            outcome.stdout
        );
    }
}

#[test]
fn a_clean_project_is_one_quiet_line_and_praise_where_asked() {
    let world = World::new(&[
        (".gitignore", ".env.*\n"),
        (
            ".env.dev",
            "DATABASE_URL=postgres://localhost/app\nLOG_LEVEL=debug\n",
        ),
        (
            ".env.prod",
            "DATABASE_URL=postgres://db.example.com/app\nLOG_LEVEL=warn\n",
        ),
    ]);
    let outcome = world.ringfence(&["check"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (
            Some(0),
            "nothing found · 3 files, environments: dev, prod\n"
        )
    );
    let verbose = world.ringfence(&["check", "-v"]).stdout;
    assert!(
        verbose.contains("right: no two environments share a database"),
        "{verbose}"
    );
    assert!(verbose.contains("read: .env.prod"), "{verbose}");
}

#[test]
fn a_folder_without_configuration_says_so() {
    let outcome = World::new(&[("README", "hello")]).ringfence(&["check"]);
    assert_eq!(outcome.code, Some(0));
    assert!(
        outcome.stdout.contains("no configuration was found here"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn the_threshold_decides_what_is_shown_and_what_blocks() {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (".env.prod", "A=1\nLOG_LEVEL=debug\n"),
    ]);
    assert_eq!(world.ringfence(&["check"]).code, Some(1));
    let outcome = world.ringfence(&["check", "--min-severity", "high"]);
    assert_eq!(outcome.code, Some(0));
    assert!(
        !outcome.stdout.contains("debug-in-production"),
        "{}",
        outcome.stdout
    );
    assert_eq!(
        world.ringfence(&["check", "--min-severity", "grave"]).code,
        Some(2)
    );
}

#[test]
fn json_follows_its_schema_and_the_schema_is_written_down() {
    let schema = serde_json::to_string_pretty(&ringfence_lint::schema::schema()).unwrap() + "\n";
    let path = workspace().join("docs/check.schema.json");
    if std::env::var_os("RINGFENCE_UPDATE_BOOK").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        schema,
        "docs/check.schema.json is out of date"
    );
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for arguments in [
        &["check", "--json"][..],
        &["check", "--format", "json", "--min-severity", "critical"],
    ] {
        let outcome = project().ringfence(arguments);
        let record: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&record)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// The schema that OASIS publishes, as the package `serde-sarif` carries it.
fn sarif_schema() -> Value {
    // Of other platforms, what a build here never fetched would be missing.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version", "1", "--offline"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--filter-platform", &platform])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "serde-sarif")
        .unwrap();
    let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
    let text = fs::read_to_string(manifest.with_file_name("src/schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    // The one pattern in it that is no regular expression, in two places: a bracket too many.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        assert_eq!(
            language["pattern"].take(),
            "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$"
        );
        language.as_object_mut().unwrap().remove("pattern");
    }
    schema
}

#[test]
fn sarif_follows_the_standards_schema() {
    let validator = jsonschema::validator_for(&sarif_schema()).unwrap();
    let world = project();
    world.ringfence(&["check", "--baseline", "known.json", "--write-baseline"]);
    world.write(".env.staging", "DEBUG=maybe\n");
    for arguments in [
        &["check", "--format", "sarif"][..],
        &["check", "--format", "sarif", "--baseline", "known.json"],
    ] {
        let outcome = world.ringfence(arguments);
        let log: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&log)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            ".env.prod"
        );
    }
    // A schema that takes everything would prove nothing.
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0" })));
}

#[test]
fn github_gets_one_annotation_a_line() {
    let outcome = project().ringfence(&["check", "--format", "github"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome
            .stdout
            .lines()
            .all(|line| line.starts_with("::error ") || line.starts_with("::warning "))
    );
    assert!(
        outcome
            .stdout
            .contains("::error title=shared-resource,file=.env.prod,line=3,endLine=3,col=1::")
    );
}

#[test]
fn what_the_baseline_knows_does_not_block_and_what_is_new_does() {
    let world = project();
    let written = world.ringfence(&["check", "--baseline", "known.json", "--write-baseline"]);
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""));
    assert!(!world.read("known.json").contains("wk3Rv8Lq2Zt9"));
    // Lines may move.
    world.write(".env.prod", format!("# moved\n\n{PROD}"));
    let known = world.ringfence(&["check", "--baseline", "known.json"]);
    assert_eq!(known.code, Some(0), "{known:?}");
    assert!(known.stdout.contains("in the baseline"), "{}", known.stdout);
    world.write(
        ".env.prod",
        format!("{PROD}NODE_TLS_REJECT_UNAUTHORIZED=0\nLD_PRELOAD=/tmp/x.so\n"),
    );
    let new = world.ringfence(&["check", "--baseline", "known.json"]);
    assert_eq!(new.code, Some(1));
    assert!(
        new.stdout.contains("hijacking-variable") && !new.stdout.contains("shared-resource"),
        "{}",
        new.stdout
    );
    let json = world.ringfence(&["check", "--baseline", "known.json", "--json"]);
    assert!(json.stdout.contains("\"known\": true") && json.stdout.contains("\"known\": false"));
}

#[test]
fn a_baseline_that_cannot_be_read_is_refused() {
    let world = project();
    let missing = world.ringfence(&["check", "--baseline", "nowhere.json"]);
    assert_eq!(missing.code, Some(78));
    assert!(
        missing.stderr.contains("--write-baseline"),
        "{}",
        missing.stderr
    );
    world.write("broken.json", "{\"version\": 9, \"findings\": []}");
    assert_eq!(
        world
            .ringfence(&["check", "--baseline", "broken.json"])
            .code,
        Some(78)
    );
}

#[test]
fn the_baseline_holds_findings_below_the_threshold_too() {
    let world = World::new(&[(".env.prod", "LOG_LEVEL=debug\n")]);
    let quiet = ["--min-severity", "critical"];
    let baseline = ["check", "--baseline", "known.json", "--write-baseline"];
    world.ringfence(&[&baseline[..], &quiet].concat());
    assert!(
        world.read("known.json").contains("debug-in-production"),
        "{}",
        world.read("known.json")
    );
}

#[test]
fn what_cannot_be_written_is_no_finding() {
    let world = project();
    let baseline = [
        "check",
        "--baseline",
        "nowhere/known.json",
        "--write-baseline",
    ];
    let outcome = world.ringfence(&baseline);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    let mut command = world.command();
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    command.arg("check").stdout(full.unwrap());
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("standard output cannot be written"),
        "{outcome:?}"
    );
}

#[test]
fn fixing_quotes_what_is_ambiguous_and_leaves_the_rest_alone() {
    let text =
        "# kept\r\nexport A=plain\r\nGREETING=hello world   # said\r\nURL=http://x/?a=1&b=2\r\n";
    let world = World::new(&[(".env.dev", text)]);
    let before = world.ringfence(&["check", "--json"]);
    assert!(
        checks(&before)
            .iter()
            .all(|check| check == "ambiguous-value"),
        "{}",
        before.stdout
    );
    let outcome = world.ringfence(&["check", "--fix"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("mended 2 places in .env.dev"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        world.read(".env.dev"),
        "# kept\r\nexport A=plain\r\nGREETING='hello world'   # said\r\nURL='http://x/?a=1&b=2'\r\n"
    );
    let again = world.ringfence(&["check", "--fix"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_comment_with_a_reason_leaves_a_finding_out() {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (
            ".env.prod",
            "A=1\n# ringfence: ignore[debug-in-production] behind a wall\nDEBUG=true\n",
        ),
    ]);
    assert_eq!(world.ringfence(&["check"]).code, Some(0));
    world.write(
        ".env.prod",
        "A=1\n# ringfence: ignore[debug-in-production]\nDEBUG=true\n",
    );
    assert_eq!(world.ringfence(&["check"]).code, Some(1));
}

#[test]
fn git_says_what_is_tracked() {
    let world = World::new(&[
        (".env.prod", "API_TOKEN=9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c\n"),
        (".gitignore", ""),
    ]);
    fs::remove_dir_all(world.path(".git")).unwrap();
    let git = |arguments: &[&str]| {
        let output = world.any_command("git").args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    git(&["init", "-q"]);
    git(&["add", ".gitignore"]);
    let gap = world.ringfence(&["check", "--json"]);
    assert_eq!(checks(&gap), ["gitignore-gap"]);
    git(&["add", "-f", ".env.prod"]);
    assert_eq!(
        checks(&world.ringfence(&["check", "--json"])),
        ["committed-secret"]
    );
    git(&["rm", "-q", "--cached", ".env.prod"]);
    assert_eq!(world.ringfence(&["check", "--fix"]).code, Some(0));
    assert_eq!(world.read(".gitignore"), "/.env.prod\n");
}

#[test]
fn patterns_above_the_folder_count_too() {
    let secret = "API_TOKEN=9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c\n";
    let world = World::new(&[
        (".gitignore", ".env.prod\n/apps/api/.env.test\n"),
        ("apps/.gitignore", ".env.staging\n"),
        ("apps/api/.env.prod", secret),
        ("apps/api/.env.staging", secret),
        ("apps/api/.env.test", secret),
        ("apps/api/.env.ci", secret),
    ]);
    fs::remove_dir_all(world.path(".git")).unwrap();
    let git = |arguments: &[&str]| world.any_command("git").args(arguments).output().unwrap();
    git(&["init", "-q"]);
    git(&["add", ".gitignore"]);
    let gaps = |world: &World| {
        let outcome = world.ringfence(&["check", "apps/api", "--json"]);
        let record: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let findings = record["findings"].as_array().unwrap().iter();
        let gaps = findings.filter(|finding| finding["check"] == "gitignore-gap");
        gaps.map(|finding| finding["subject"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(gaps(&world), [".env.ci"]);
    world.write(".git/info/exclude", ".env.ci\n");
    assert_eq!(gaps(&world), Vec::<String>::new());
    // Git agrees.
    let ignored = git(&[
        "check-ignore",
        "apps/api/.env.prod",
        "apps/api/.env.staging",
        "apps/api/.env.test",
        "apps/api/.env.ci",
    ]);
    assert_eq!(String::from_utf8_lossy(&ignored.stdout).lines().count(), 4);
}

#[test]
fn a_check_is_listed_and_explained() {
    let world = World::new(&[]);
    let list = world.ringfence(&["check", "--list"]);
    assert_eq!(list.code, Some(0));
    assert!(
        list.stdout.lines().count() > 30 && list.stdout.contains("shared-secret "),
        "{}",
        list.stdout
    );
    let page = world.ringfence(&["explain", "shared-secret"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(
        page.stdout.starts_with("# shared-secret"),
        "{}",
        page.stdout
    );
}

#[test]
fn a_manifest_adds_names_types_and_settings() {
    let manifest = "version = 1\n[environments]\nblue = { tier = \"staging\" }\nprod = { tier = \"production\" }\n[settings]\nPORT = { type = \"port\" }\nDEBUG = { type = \"bool\" }\n";
    let world = World::new(&[
        ("ringfence.toml", manifest),
        (".env.blue", "PORT=80\nDEBUG=false\nOTHER=1\n"),
        (".env.prod", "PORT=eighty\nDEBUG=true\n"),
    ]);
    let outcome = world.ringfence(&["check", "--json"]);
    let mut found = checks(&outcome);
    found.sort();
    assert_eq!(
        found,
        ["debug-in-production", "type-mismatch", "undeclared-setting"]
    );
    assert!(
        outcome.stdout.contains("ringfence.toml"),
        "{}",
        outcome.stdout
    );
    world.write("ringfence.toml", "version = 1\nenvironment = 2\n");
    assert_eq!(world.ringfence(&["check"]).code, Some(78));
}

#[test]
fn hostile_files_are_bounded_and_named() {
    let world = World::new(&[(".env.dev", "A=1\n"), (".env.test", "A=1\n")]);
    world.write(".env.prod", "A".repeat(6 << 20));
    world.write(".env.staging", format!("A={}\n", "x".repeat(4 << 20)));
    world.write(
        "config/prod.yml",
        format!(
            "a: &a [x, x]\n{}",
            (0..40)
                .map(|n| format!("b{n}: &b{n} [*a, *a]\n"))
                .collect::<String>()
        ),
    );
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        ));
    }
    world.write("config/dev.yml", bomb);
    world.write("config/test.json", "[".repeat(1 << 20));
    world.write(".env.ci", [0xff, 0xfe, b'A', 0, b'=', 0]);
    for depth in ["loop", "loop/a", "loop/a/b"] {
        fs::create_dir_all(world.path(depth)).unwrap();
    }
    std::os::unix::fs::symlink(world.path("loop"), world.path("loop/a/b/again")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.path("loop/.env")).unwrap();
    let outcome = world.ringfence(&["check"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for part in [
        "`.env.prod` was not read: it is larger than 5 MiB",
        "`config/dev.yml` was not read",
        "`config/test.json` was not read",
        "`.env.ci` was not read: it is not UTF-8",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part} is not in\n{}",
            outcome.stdout
        );
    }
    assert!(
        outcome.stdout.len() < 100_000,
        "{} bytes of report",
        outcome.stdout.len()
    );
}

/// `ringfence check` with at most so many KiB of address space.
fn check_within(world: &World, kibibytes: usize) -> Outcome {
    let script = format!("ulimit -c 0; ulimit -v {kibibytes}; exec \"$0\" check");
    let mut command = world.any_command("/bin/sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_ringfence")]);
    Outcome::of(&command.output().unwrap())
}

/// The KiB, to the next 5,000, that looking at next to nothing takes: mostly the program itself.
fn least_memory() -> usize {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    let enough = |kibibytes: &usize| check_within(&world, *kibibytes).code == Some(0);
    (10_000..600_000).step_by(5_000).find(enough).unwrap()
}

#[test]
fn memory_is_bounded_whatever_the_files_sizes() {
    let least = least_memory();
    let world = World::new(&[(".env.dev", "A=1\n")]);
    let large = fs::File::create(world.path(".env.prod")).unwrap();
    large.set_len(100_000_000).unwrap();
    let line = format!("API_TOKEN={}\n", "x".repeat(10_000_000));
    world.write(".env.staging", line);
    // Too little to hold even the smaller one once.
    let outcome = check_within(&world, least + 4_000);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for part in [
        "low[unreadable-file]: `.env.prod` was not read: it is larger than 5 MiB",
        "low[unreadable-file]: `.env.staging` was not read: it is larger than 5 MiB",
        "2 low",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part} is not in {outcome:?}"
        );
    }

    let line = format!("API_TOKEN={}\n", "x".repeat(5_000_000));
    let world = World::new(&[(".env.dev", "A=1\n"), (".env.prod", &line)]);
    // What is read and looked at is there a few times, and never shown.
    let outcome = check_within(&world, least + 12 * 5_000);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome
            .stdout
            .contains("high[placeholder-secret]: `API_TOKEN` of `prod`")
            && outcome.stdout.len() < 2_000,
        "{} bytes of report",
        outcome.stdout.len()
    );
}

/// A file of every kind, with a canary where values, comments and lines that cannot be read stand.
const CANARIES: &[(&str, &str)] = &[
    (".env", "APP_ENV=dev\nSHARED_TOKEN=CANARY\n"),
    (
        ".env.dev",
        "API_TOKEN=CANARY\nDATABASE_URL=postgres://u:CANARY@db.example.com/a\nX=CANARY $(CANARY)\nX=CANARY2\nLD_PRELOAD=CANARY\nPORT=1\n",
    ),
    (
        ".env.prod",
        "API_TOKEN=CANARY\nDATABASE_URL=postgres://u:CANARY@db.example.com/a\nDEBUG=true\nCANARY\nPORT=2\n",
    ),
    (".env.prod.example", "STRIPE_KEY=CANARY\n"),
    (
        "config/base.yaml",
        "auth:\n  token: CANARY\nother: CANARY\n",
    ),
    ("config/production.yaml", "host: \"CANARY\nx: 1\n"),
    // What may be meant as a value stands where a key would, and other environments have no such key.
    (
        "settings.dev.yml",
        "auth:\n  token: {CANARY}\n  port: 1\nlist: [? CANARY, {CANARY: x}: y]\n",
    ),
    (
        "settings.staging.yml",
        "auth:\n  token: {CANARY, CANARY}\n  port: 1\n  debug: false\n",
    ),
    (
        "settings.prod.yml",
        "auth:\n  token:\n    ? CANARY\n  port: x\n  debug: true\n",
    ),
    (
        "appsettings.Production.json",
        "{\"token\": \"CANARY\" \"CANARY\"\n",
    ),
    (
        "appsettings.Staging.json",
        "{\"token\": {\"CANARY\"}, CANARY\n",
    ),
    (
        "config/staging.toml",
        "token = CANARY\n[CANARY\n\"CANARY\"\n",
    ),
    ("config/dev.toml", "token = \"CANARY\ndebug = true\n"),
    (
        "docker-compose.prod.yml",
        "services:\n  web:\n    env_file: .env.dev\n    environment:\n      - API_TOKEN=${API_TOKEN:-CANARY}\n      - CANARY\n  api:\n    environment: {CANARY, \"CANARY\"}\n    env_file: .env.dev\n",
    ),
    (
        "Dockerfile",
        "FROM x\nENV API_TOKEN=CANARY\nRUN curl -H CANARY\nCOPY .env.prod /app\n",
    ),
    (
        "deploy-prod.sh",
        "export API_TOKEN=CANARY\n. .env.dev\ncp .env .env.$APP_ENV\n",
    ),
    (
        "phpunit.xml",
        "<php><env name=\"API_TOKEN\" value=\"CANARY\"/></php>",
    ),
    (
        "render.yaml",
        "services:\n  - name: a\n    envVars:\n      - key: API_TOKEN\n        value: CANARY\n      - key: B\n        value: CANARY\n        previewValue: CANARY\n",
    ),
    ("fly.toml", "[env]\nAPI_TOKEN = \"CANARY\"\n"),
    (".github/workflows/ci.yml", "env:\n  API_TOKEN: CANARY\n"),
    ("application-prod.properties", "db.password=CANARY\n"),
];

#[test]
fn no_format_shows_a_value() {
    const CANARY: &str = "c4n4ryQ7xW2pL9sT5v";
    let baseline = &["--baseline", "known.json", "--write-baseline"];
    for format in ["human", "json", "sarif", "github"] {
        for more in [
            &[][..],
            &["-v"],
            &["--min-severity", "critical"],
            baseline,
            &["--fix"],
        ] {
            let world = World::new(&[]);
            for (path, text) in CANARIES {
                world.write(path, text.replace("CANARY", CANARY));
            }
            let outcome = world.ringfence(&[&["check", "--format", format], more].concat());
            assert!(matches!(outcome.code, Some(0 | 1)), "{outcome:?}");
            let known = fs::read_to_string(world.path("known.json")).unwrap_or_default();
            for text in [&outcome.stdout, &outcome.stderr, &known] {
                assert!(
                    !text.contains(CANARY),
                    "{format} {more:?} shows the canary:\n{text}"
                );
            }
        }
    }
}

#[test]
fn the_hook_for_pre_commit_runs() {
    let text = fs::read_to_string(workspace().join(".pre-commit-hooks.yaml")).unwrap();
    let entry = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("entry: "))
        .unwrap();
    let mut words = entry.split_whitespace();
    assert_eq!(words.next(), Some("ringfence"));
    let arguments: Vec<&str> = words.collect();
    assert_eq!(project().ringfence(&arguments).code, Some(1));
    assert_eq!(
        World::new(&[("README", "")]).ringfence(&arguments).code,
        Some(0)
    );
}
