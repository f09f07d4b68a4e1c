use super::*;
use crate::select;
use proptest::prelude::*;
use ringfence_syntax::manifest;

/// A project in memory.
struct World {
    project: Project,
    documents: Documents,
    sources: Sources,
    manifest_diagnostics: Vec<Diagnostic>,
    host: Host,
    arguments: Vec<(String, String)>,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut sources = Sources::new();
        let file_names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let parsed = files
            .iter()
            .find(|(name, _)| *name == "ringfence.toml")
            .map(|(name, text)| {
                let source = sources.add(*name, *text);
                (source, manifest::parse(source, text))
            });
        let parts = crate::project::Parts {
            file_names: &file_names,
            manifest: parsed
                .as_ref()
                .map(|(source, parsed)| (*source, &parsed.manifest)),
        };
        let (project, mut manifest_diagnostics) = Project::assemble(parts);
        manifest_diagnostics.extend(
            parsed
                .into_iter()
                .flat_map(|(_, parsed)| parsed.diagnostics),
        );
        let mut documents = Documents::default();
        for (name, text) in files
            .iter()
            .filter(|(name, _)| project.paths().contains(name))
        {
            documents.add(&mut sources, name, name, text.as_bytes());
        }
        Self {
            project,
            documents,
            sources,
            manifest_diagnostics,
            host: Host::default(),
            arguments: Vec::new(),
        }
    }

    fn host(mut self, variables: &[(&str, &str)]) -> Self {
        self.host = variables.iter().copied().collect();
        self
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            project: &self.project,
            documents: &self.documents,
            sources: &self.sources,
            host: &self.host,
            arguments: &self.arguments,
        }
    }

    fn resolve(&self, environment: &str) -> Resolution {
        resolve(
            self.inputs(),
            select::find(&self.project, environment, None).unwrap(),
        )
    }

    /// `NAME=value` of every setting, then every diagnostic's code and place.
    fn summary(&self, environment: &str) -> Vec<String> {
        let resolution = self.resolve(environment);
        let settings = resolution
            .settings
            .iter()
            .map(|(name, setting)| format!("{name}={}", setting.value.expose()));
        let diagnostics = self
            .manifest_diagnostics
            .iter()
            .chain(&resolution.diagnostics);
        let faults = diagnostics.map(|diagnostic| {
            let places = diagnostic
                .labels
                .iter()
                .map(|label| self.sources.locate(label.place));
            format!(
                "!{} {}",
                diagnostic.code,
                places.collect::<Vec<_>>().join(" ")
            )
            .trim_end()
            .to_owned()
        });
        settings.chain(faults).collect()
    }

    fn check(&self, environment: &str, expected: &[&str]) {
        assert_eq!(self.summary(environment), expected);
    }
}

const FOUR: &str = "version = 1\n[environments]\ndev = {}\ntest = {}\nstaging = {}\nprod = {}\n";

fn with_settings(settings: &str) -> String {
    format!("{FOUR}[settings]\n{settings}\n")
}

#[test]
fn a_later_layer_wins() {
    let manifest = with_settings("A = { default = 1, in.development = 3, in.dev = 4 }");
    let layers = [
        (".env", "A=2\n"),
        (".env.dev", "A=5\n"),
        (".env.dev.local", "A=6\n"),
    ];
    for count in 0..=layers.len() {
        let mut files = vec![("ringfence.toml", manifest.as_str())];
        files.extend(&layers[..count]);
        if count < 2 {
            files.push((".env.dev", ""));
        }
        let expected = ["A=4", "A=4", "A=5", "A=6"][count];
        World::new(&files).check("dev", &[expected]);
    }
    let mut world = World::new(&[
        (
            "ringfence.toml",
            &with_settings("A = { in.development = 3 }"),
        ),
        (".env", "A=2\n"),
        (".env.dev", ""),
    ]);
    world.check("dev", &["A=3"]);
    world.arguments = vec![("A".into(), "7".into())];
    world.check("dev", &["A=7"]);
}

#[test]
fn a_personal_file_counts_in_development_and_testing_only() {
    let world = World::new(&[
        (".env.test", "A=1\n"),
        (".env.test.local", "A=2\n"),
        (".env.prod", "A=1\n"),
        (".env.prod.local", "A=2\n"),
    ]);
    world.check("test", &["A=2"]);
    world.check("prod", &["A=1", "!unread-personal-file"]);
}

#[test]
fn references_are_followed_inside_the_environment() {
    let world = World::new(&[(
        ".env.dev",
        "A=${B}/x\nB=${C:-c}\nC=\nD=${E:-${B}}\nF='${A}'\n",
    )]);
    world.check("dev", &["A=c/x", "B=c", "C=", "D=c", "F=${A}"]);
    let world = World::new(&[(".env.dev", "A=${HOME}\nB=${A}\nC=${D:?say it}\n")])
        .host(&[("HOME", "/root")]);
    world.check(
        "dev",
        &[
            "!unknown-reference .env.dev:1:3",
            "!required-reference .env.dev:3:3",
        ],
    );
    let world = World::new(&[(".env.dev", "A=${B}\nB=${C}\nC=${A}\nD=${A}\nE=1\n")]);
    world.check("dev", &["E=1", "!reference-cycle .env.dev:1:3"]);
}

#[test]
fn a_long_chain_of_references_is_followed() {
    let mut text = String::from("A0=x\n");
    for index in 1..20_000 {
        text.push_str(&format!("A{index}=${{A{}}}\n", index - 1));
    }
    let world = World::new(&[(".env.dev", &text)]);
    let resolution = world.resolve("dev");
    assert_eq!(resolution.settings["A19999"].value.expose(), "x");
}

#[test]
fn values_that_grow_without_end_are_refused() {
    let mut text = String::from("A0=0123456789\n");
    for index in 1..40 {
        let before = format!("${{A{}}}", index - 1);
        text.push_str(&format!("A{index}={}\n", before.repeat(10)));
    }
    let codes: Vec<_> = World::new(&[(".env.dev", &text)])
        .resolve("dev")
        .diagnostics
        .iter()
        .map(|d| d.code)
        .collect();
    assert_eq!(codes, ["value-too-large"]);
}

#[test]
fn what_is_declared_must_hold() {
    let manifest = with_settings(
        "A = {}\nB = { type = \"int\" }\nC = { required = { default = false, in.production = true } }\nD = { type = \"duration\", default = \"5\" }\nE = { type = \"enum\", values = [\"x\"] }",
    );
    let world = World::new(&[
        ("ringfence.toml", &manifest),
        (".env.dev", "B=many\nE=\n"),
        (".env.prod", "A=1\nB=2\nD=5s\nE=x\n"),
    ]);
    world.check(
        "dev",
        &[
            "B=many",
            "D=5",
            "E=",
            "!missing-setting ringfence.toml:8:1",
            "!type-mismatch .env.dev:1:3 ringfence.toml:9:1",
            "!type-mismatch ringfence.toml:11:36 ringfence.toml:11:1",
            "!missing-setting ringfence.toml:12:1",
        ],
    );
    world.check(
        "prod",
        &[
            "A=1",
            "B=2",
            "D=5s",
            "E=x",
            "!missing-setting ringfence.toml:10:1",
        ],
    );
}

#[test]
fn distinct_settings_differ_between_environments() {
    let manifest =
        with_settings("A = { distinct = true }\nB = { distinct = true, required = false }");
    let files = [
        ("ringfence.toml", manifest.as_str()),
        (".env.dev", "A=1\nB=\n"),
        (".env.test", "A=\"1\"\nB=\n"),
        (".env.staging", "A=${C}\nC=1"),
        (".env.prod", "A=2\n"),
    ];
    let world = World::new(&files);
    world.check(
        "dev",
        &[
            "A=1",
            "B=",
            "!not-distinct .env.dev:1:3 .env.test:1:3 ringfence.toml:8:1",
            "!not-distinct .env.dev:1:3 .env.staging:1:3 ringfence.toml:8:1",
        ],
    );
    world.check("prod", &["A=2"]);
}

#[test]
fn what_the_host_and_arguments_say_is_not_said_for_other_environments() {
    let manifest = "version = 1\n[environments]\ndev = {}\nstaging = { from = \"host\" }\nprod = { from = \"host\" }\n[settings]\nA = { distinct = true }\n";
    let files = [("ringfence.toml", manifest), (".env.dev", "A=dev\n")];
    World::new(&files)
        .host(&[("A", "platform")])
        .check("prod", &["A=platform"]);
    World::new(&files).host(&[("A", "dev")]).check(
        "prod",
        &["A=dev", "!not-distinct .env.dev:1:3 ringfence.toml:7:1"],
    );
    let mut world = World::new(&files);
    world.arguments = vec![("A".into(), "once".into())];
    world.check("dev", &["A=once"]);
}

#[test]
fn the_host_supplies_only_what_is_asked_of_it() {
    let manifest =
        with_settings("A = { from = \"host\", required = false }\nB = { required = false }");
    let host = [("A", "from host"), ("B", "from host")];
    let files = [
        ("ringfence.toml", manifest.as_str()),
        (".env.dev", "A=1\n"),
        (".env.prod", "B=2\n"),
    ];
    World::new(&files)
        .host(&host)
        .check("dev", &["A=from host"]);
    World::new(&files).check("dev", &["A=1"]);
    let manifest = "version = 1\n[environments]\nprod = { from = \"host\" }\n[settings]\nB = {}\n";
    let files = [("ringfence.toml", manifest)];
    World::new(&files)
        .host(&host)
        .check("prod", &["B=from host"]);
    World::new(&files).check("prod", &["!missing-setting ringfence.toml:5:1"]);
}

#[test]
fn a_selector_in_a_file_names_the_environment_or_nothing_starts() {
    let world = World::new(&[
        (".env.prod", "APP_ENV=production\n"),
        (".env.dev", "A=1\n\nAPP_ENV=prod\n"),
        (".env.test", "APP_ENV=nonsense"),
    ]);
    world.check("prod", &["APP_ENV=production"]);
    world.check(
        "dev",
        &[
            "A=1",
            "APP_ENV=prod",
            "!selector-overwritten-by-file .env.dev:3:9",
        ],
    );
    world.check(
        "test",
        &[
            "APP_ENV=nonsense",
            "!selector-overwritten-by-file .env.test:1:9",
        ],
    );
    let shared = World::new(&[
        (".env", "ENVIRONMENT=development\n"),
        (".env.dev", ""),
        (".env.prod", ""),
    ]);
    shared.check(
        "prod",
        &[
            "ENVIRONMENT=development",
            "!selector-overwritten-by-file .env:1:13",
        ],
    );
    assert_eq!(shared.resolve("dev").selector, "ENVIRONMENT");
    let spring = World::new(&[
        (".env.prod", "SPRING_PROFILES_ACTIVE=metrics,prod\n"),
        (".env.dev", "SPRING_PROFILES_ACTIVE=prod,x\n"),
    ]);
    spring.check("prod", &["SPRING_PROFILES_ACTIVE=metrics,prod"]);
    spring.check(
        "dev",
        &[
            "SPRING_PROFILES_ACTIVE=prod,x",
            "!selector-overwritten-by-file .env.dev:1:24",
        ],
    );
}

#[test]
fn variables_that_load_code_are_refused_unless_declared() {
    let world = World::new(&[(
        ".env.dev",
        "LD_PRELOAD=./x.so\nRINGFENCE_TIER=production\nA=1\n",
    )]);
    world.check(
        "dev",
        &[
            "A=1",
            "LD_PRELOAD=./x.so",
            "RINGFENCE_TIER=production",
            "!hijacking-variable .env.dev:1:12",
            "!reserved-name .env.dev:2:16",
        ],
    );
    let manifest = with_settings("NODE_OPTIONS = {}");
    World::new(&[
        ("ringfence.toml", &manifest),
        (".env.dev", "NODE_OPTIONS=--inspect\n"),
    ])
    .check("dev", &["NODE_OPTIONS=--inspect"]);
}

#[test]
fn what_is_not_opened_has_no_value_and_hides_what_lies_below() {
    let manifest = with_settings(
        "A = { from = { command = [\"op\"] } }\nB = { from = { in.prod = { file = \"f\" } } }",
    );
    let mut world = World::new(&[
        ("ringfence.toml", &manifest),
        (".env.dev", "A=1\nB=2\nC=encrypted:AAAA\nD=${A}\n"),
    ]);
    world.check("dev", &["B=2"]);
    let resolution = world.resolve("dev");
    let closed: Vec<_> = resolution.closed.keys().collect();
    assert_eq!(closed, ["A", "C"]);
    world.documents.refer("dev", "A", Value::new("${B}"));
    world.documents.open(".env.dev", "C", Value::new("three"));
    world.check("dev", &["A=${B}", "B=2", "C=three", "D=${B}"]);
    let resolution = world.resolve("dev");
    assert!(
        ["A", "C", "D"]
            .iter()
            .all(|name| resolution.settings[*name].is_secret)
    );
}

#[test]
fn a_dollar_without_braces_before_a_settings_name_is_a_warning() {
    let world = World::new(&[(".env.dev", "A=1\nB=x$A\nC='$A'\nD=$5$unknown\n")]);
    world.check(
        "dev",
        &[
            "A=1",
            "B=x$A",
            "C=$A",
            "D=$5$unknown",
            "!bare-reference .env.dev:2:3",
        ],
    );
    assert!(!world.resolve("dev").is_refused());
}

#[test]
fn secrets_are_contagious() {
    let world = World::new(&[(
        ".env.dev",
        "PASSWORD=abc\nPLAIN=${MIDDLE}\nMIDDLE=x${PASSWORD}\nOTHER=x\n",
    )]);
    let resolution = world.resolve("dev");
    let secrets: Vec<_> = resolution
        .settings
        .iter()
        .filter(|(_, s)| s.is_secret)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(secrets, ["MIDDLE", "PASSWORD", "PLAIN"]);
    assert!(!format!("{resolution:?}").contains("abc"));
}

#[test]
fn files_that_are_missing_or_several_are_errors() {
    let manifest = format!("{FOUR}live = {{ files = [\"deploy/live.env\"] }}\n");
    let world = World::new(&[
        ("ringfence.toml", &manifest),
        (".env", "A=1\n"),
        (".env.prod", ""),
        (".env.production", ""),
    ]);
    world.check(
        "test",
        &["A=1", "!missing-environment-file ringfence.toml:4:1"],
    );
    world.check("prod", &["A=1", "!ambiguous-environment-file"]);
    world.check(
        "live",
        &["A=1", "!missing-environment-file ringfence.toml:7:19"],
    );
}

#[test]
fn faults_of_the_manifest_are_found_without_starting_anything() {
    let manifest = "version = 1\ndefault = \"prod\"\n[environments]\ndev = { aliases = [\"x\"] }\nfoo = {}\n\"a b\" = { tier = \"testing\" }\nprod = { barrier = \"off\", aliases = [\"X\"] }\n[settings]\nA = { in.prd = 1, required = { in.tset = true } }\nE = { type = \"enum\" }\nV = { values = [\"x\"] }\n[resources.db]\nsetting = \"B\"\n[egress]\nnowhere = []\n";
    let world = World::new(&[("ringfence.toml", manifest)]);
    let mut codes: Vec<_> = world
        .manifest_diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "ambiguous-environment-name",
            "barrier-off",
            "enum-without-values",
            "missing-tier",
            "production-is-the-default",
            "undeclared-setting",
            "unknown-environment-name",
            "unknown-environment-name",
            "unknown-environment-name",
            "unusable-environment-name",
            "values-without-enum",
        ]
    );
}

/// Files of one environment with values that refer to each other.
fn any_files() -> impl Strategy<Value = (String, String, String)> {
    let value = prop_oneof![
        "[a-z]{0,4}",
        "'[a-z $]{0,4}'",
        "\"[a-z]{0,3}\\$\\{[A-E]\\}\"",
        "\\$\\{[A-E]:-[a-z]{0,3}\\}"
    ];
    let file = proptest::collection::btree_map("[A-E]", value, 0..5).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect::<String>()
    });
    (file.clone(), file.clone(), file)
}

proptest! {
    #[test]
    fn resolving_twice_gives_the_same((shared, own, personal) in any_files()) {
        let world = World::new(&[(".env", &shared), (".env.dev", &own), (".env.dev.local", &personal)]);
        prop_assert_eq!(world.summary("dev"), world.summary("dev"));
    }

    #[test]
    fn an_origin_holds_the_text_the_value_came_from((shared, own, personal) in any_files()) {
        let world = World::new(&[(".env", &shared), (".env.dev", &own), (".env.dev.local", &personal)]);
        for (name, setting) in world.resolve("dev").settings {
            let place = setting.origin.place().unwrap();
            let text = world.sources.text(place.source);
            let written = place.span.of(text);
            // The span stands right after `NAME=` on a line of the file that won.
            let head = format!("{name}=");
            prop_assert!(text.get(..place.span.start).unwrap().ends_with(&head));
            if !written.contains('$') {
                prop_assert_eq!(written.trim_matches(['\'', '"']), setting.value.expose());
            }
            let file = world.sources.get(place.source).unwrap().name();
            let expected = [(".env.dev.local", &personal), (".env.dev", &own), (".env", &shared)]
                .into_iter()
                .find(|(_, text)| text.lines().any(|line| line.starts_with(&head)))
                .unwrap();
            prop_assert_eq!(file, expected.0);
        }
    }
}
