//! Which environment is meant, and what the child is told.

use crate::world::World;

const THREE: &[(&str, &str)] = &[
    (".env.dev", "W=dev\n"),
    (".env.test", "W=test\n"),
    (".env.prod", "W=prod\n"),
];

#[test]
fn a_strangers_project_runs_without_a_manifest() {
    let world = World::new(THREE);
    for (argument, expected) in [
        ("dev", "dev"),
        ("test", "test"),
        ("prod", "prod"),
        ("production", "prod"),
        ("LIVE", "prod"),
        ("ci", "test"),
    ] {
        assert_eq!(
            world.value(&["run", argument], "W").as_deref(),
            Some(expected),
            "{argument}"
        );
        assert_eq!(
            world.value(&["run", "--env", argument], "W").as_deref(),
            Some(expected)
        );
    }
    assert_eq!(world.value(&["run"], "W").as_deref(), Some("dev"));
}

#[test]
fn the_selector_variable_selects_and_the_child_sees_the_projects_spelling() {
    let world = World::new(THREE).var("APP_ENV", "production");
    assert_eq!(world.value(&["run"], "W").as_deref(), Some("prod"));
    assert_eq!(world.value(&["run"], "APP_ENV").as_deref(), Some("prod"));
    assert_eq!(
        world.value(&["run"], "RINGFENCE_ENVIRONMENT").as_deref(),
        Some("prod")
    );
    assert_eq!(
        world.value(&["run"], "RINGFENCE_TIER").as_deref(),
        Some("production")
    );
    // An argument comes first, and the child sees one truth.
    assert_eq!(
        world.value(&["run", "dev"], "APP_ENV").as_deref(),
        Some("dev")
    );
    let spelled = World::new(&[(".env.prod", "APP_ENV=production\n")]);
    assert_eq!(
        spelled.value(&["run", "prd"], "APP_ENV").as_deref(),
        Some("production")
    );
}

#[test]
fn an_unknown_name_starts_nothing_and_suggests() {
    let world = World::new(THREE).var("APP_ENV", "prodution");
    world.refuses(
        &["run"],
        &[
            "`APP_ENV=prodution` names no environment",
            "known environments: dev, test, prod",
            "did you mean `prod`?",
        ],
    );
    world.refuses(
        &["run", "docker"],
        &[
            "`docker` names no environment",
            "docker = { tier = \"development\" }",
        ],
    );
    World::new(&[]).refuses(&["run", "dev"], &["`.env.dev` is missing"]);
    World::new(&[]).refuses(&["run"], &["no-environment", "create `.env.dev`"]);
}

#[test]
fn the_selector_is_the_one_that_the_files_set() {
    let world = World::new(&[
        (".env.dev", "DJANGO_ENV=development\n"),
        (".env.prod", "W=prod\n"),
    ])
    .var("DJANGO_ENV", "prod")
    .var("APP_ENV", "dev");
    assert_eq!(world.value(&["run"], "W").as_deref(), Some("prod"));
    assert_eq!(world.value(&["run"], "DJANGO_ENV").as_deref(), Some("prod"));
    assert_eq!(world.value(&["run"], "APP_ENV"), None);
    let declared = World::new(&[
        ("ringfence.toml", "version = 1\nselector = \"MY_ENV\"\n"),
        (".env.dev", ""),
        (".env.test", "W=test\n"),
    ])
    .var("MY_ENV", "test");
    assert_eq!(declared.value(&["run"], "W").as_deref(), Some("test"));
    assert_eq!(declared.value(&["run"], "MY_ENV").as_deref(), Some("test"));
}

#[test]
fn node_env_is_set_for_node_projects_and_never_selects() {
    let files = [
        (".env.dev", ""),
        (".env.test", ""),
        (".env.staging", ""),
        (".env.prod", ""),
        ("package.json", "{}"),
    ];
    let world = World::new(&files).var("NODE_ENV", "production");
    for (environment, expected) in [
        ("dev", "development"),
        ("test", "test"),
        ("staging", "production"),
        ("prod", "production"),
    ] {
        assert_eq!(
            world.value(&["run", environment], "NODE_ENV").as_deref(),
            Some(expected)
        );
    }
    assert_eq!(
        world.value(&["run"], "RINGFENCE_ENVIRONMENT").as_deref(),
        Some("dev")
    );
    assert_eq!(
        World::new(THREE)
            .var("NODE_ENV", "production")
            .value(&["run"], "NODE_ENV"),
        None
    );
}

#[test]
fn two_files_for_one_environment_are_never_guessed_between() {
    let world = World::new(&[
        (".env.dev", ""),
        (".env.prod", "A=1\n"),
        (".env.production", "A=2\n"),
    ]);
    world.refuses(
        &["run", "prod"],
        &[
            "ambiguous-environment-file",
            "`.env.prod`, `.env.production`",
            "keep one of them",
        ],
    );
    assert_eq!(world.ringfence(&["run", "dev", "--", "true"]).code, Some(0));
}

#[test]
fn a_word_for_several_environments_is_never_guessed() {
    let world = World::new(&[(".env.qa", "W=qa\n"), (".env.staging", "W=staging\n")]);
    world.refuses(
        &["run", "uat"],
        &["ambiguous-environment-name", "`qa` or `staging`"],
    );
    assert_eq!(
        world.value(&["run", "stg"], "W").as_deref(),
        Some("staging")
    );
}

#[test]
fn a_project_with_one_env_file_has_one_environment() {
    let world = World::new(&[
        (".env", "W=one\n"),
        (".env.local", "L=mine\n"),
        (".env.example", "W=x\n"),
    ]);
    assert_eq!(world.value(&["run"], "W").as_deref(), Some("one"));
    assert_eq!(world.value(&["run", "local"], "L").as_deref(), Some("mine"));
}

#[test]
fn the_root_is_found_from_below_and_the_folder_stays() {
    let world = World::new(&[
        (".env.dev", "W=dev\n"),
        (".env.prod", "nonsense\n"),
        ("src/deep/x", ""),
    ])
    .below("src/deep");
    let outcome = world.ringfence(&["run", "dev", "--", "sh", "-c", "pwd; echo $W"]);
    assert_eq!(
        outcome.stdout,
        format!("{}\ndev\n", world.path("src/deep").display())
    );
    let outcome = world.ringfence(&["run", "prod", "--", "true"]);
    assert!(
        outcome.stderr.contains("../../.env.prod:1:1"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn another_folder_can_be_named() {
    let world = World::new(&[
        ("service/.env.dev", "W=service\n"),
        (".env.dev", "W=root\n"),
    ]);
    let outcome = world.ringfence(&[
        "-C",
        "service",
        "run",
        "dev",
        "--",
        "sh",
        "-c",
        "pwd; echo $W $PWD",
    ]);
    let folder = world.path("service");
    assert_eq!(
        outcome.stdout,
        format!("{}\nservice {}\n", folder.display(), folder.display())
    );
    assert_eq!(world.ringfence(&["-C", "nowhere", "doctor"]).code, Some(2));
}

/// What a message says to do is done, and then it starts.
#[test]
fn advice_works_when_it_is_followed() {
    let laravel = World::new(&[
        (".env", "APP_ENV=local\nA=1\n"),
        (".env.testing", "APP_ENV=testing\n"),
    ]);
    laravel.refuses(
        &["run", "local"],
        &[
            "create `.env.dev`",
            "`local = { tier = \"development\", files = [\".env\"] }` beside the others",
        ],
    );
    laravel.write("ringfence.toml", "version = 1\n[environments]\nlocal = { tier = \"development\", files = [\".env\"] }\ntesting = {}\n");
    assert_eq!(laravel.value(&["run"], "A").as_deref(), Some("1"));
    assert_eq!(
        laravel.value(&["run", "testing"], "APP_ENV").as_deref(),
        Some("testing")
    );

    let docker = World::new(&[(".env.docker", "A=1\n")]);
    for arguments in [&["run"][..], &["run", "docker"]] {
        docker.refuses(
            arguments,
            &["under `[environments]`, `docker = { tier = \"development\" }`"],
        );
    }
    docker.write(
        "ringfence.toml",
        "version = 1\n[environments]\ndocker = { tier = \"development\" }\n",
    );
    assert_eq!(docker.value(&["run"], "A").as_deref(), Some("1"));

    let rails = World::new(&[
        (".env.staging", "RAILS_ENV=production\n"),
        (".env.production", "RAILS_ENV=production\n"),
    ]);
    rails.refuses(
        &["run", "staging"],
        &[
            "say `selector = \"APP_ENV\"`",
            "declare `RAILS_ENV = {}` under `[settings]`",
        ],
    );
    rails.write(
        "ringfence.toml",
        "version = 1\nselector = \"APP_ENV\"\n[settings]\nRAILS_ENV = {}\n",
    );
    assert_eq!(
        rails.value(&["run", "staging"], "RAILS_ENV").as_deref(),
        Some("production")
    );
    assert_eq!(
        rails.value(&["run", "staging"], "APP_ENV").as_deref(),
        Some("staging")
    );

    let home = World::new(&[(".env.dev", "CACHE=${HOME}/cache\n")]);
    home.refuses(
        &["run", "dev"],
        &["declare `HOME = { from = \"host\" }` under `[settings]`"],
    );
    home.write(
        "ringfence.toml",
        "version = 1\n[settings]\nHOME = { from = \"host\" }\n",
    );
    assert_eq!(
        home.value(&["run"], "CACHE").unwrap(),
        format!("{}/cache", home.home().display())
    );
}

#[test]
fn a_forgotten_separator_gets_a_hint() {
    let outcome = World::new(THREE).ringfence(&["run", "dev", "npm", "start"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome
            .stderr
            .contains("hint: the command stands after `--`"),
        "{}",
        outcome.stderr
    );
}
