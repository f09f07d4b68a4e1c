use super::*;

/// The endpoints of one setting.
fn of(name: &str, value: &str) -> Vec<String> {
    let plan = plan(&Input {
        environment: "dev",
        settings: vec![(name, value)],
        ..Input::default()
    });
    plan.endpoints.iter().map(ToString::to_string).collect()
}

fn check(name: &str, value: &str, expected: &[&str]) {
    assert_eq!(of(name, value), expected, "{name}={value}");
}

#[test]
fn values_name_endpoints() {
    check(
        "DB_URL",
        "postgres://u:p@db.example:6432/app",
        &["db.example:6432"],
    );
    check("DB_URL", "postgresql+asyncpg://u:p@db/app", &["db:5432"]);
    check(
        "DB_URL",
        "postgres://u:p@a.example:1,b.example:2/app",
        &["a.example:1", "b.example:2"],
    );
    check(
        "DB_URL",
        "postgres://u:p/w@db.example/app",
        &["db.example:5432"],
    );
    check(
        "DB_URL",
        "jdbc:postgresql://db.example/app",
        &["db.example:5432"],
    );
    check(
        "DSN",
        "host=db.example port=6432 dbname=app user=u password='p w'",
        &[],
    );
    check(
        "DSN",
        "host=db.example port=6432 dbname=app user=u password=p",
        &["db.example:6432"],
    );
    check(
        "DSN",
        "Server=db.example,1444;Database=app;User Id=u;Password=p",
        &["db.example:1444"],
    );
    check(
        "REDIS",
        "rediss://:p@cache.example",
        &["cache.example:6379"],
    );
    check(
        "KAFKA",
        "k1.example:9092,k2.example:9093",
        &["k1.example:9092", "k2.example:9093"],
    );
    check(
        "SENTRY_DSN",
        "https://key@o1.ingest.sentry.io/42",
        &["o1.ingest.sentry.io:443"],
    );
    check(
        "PAGE",
        "https://example.com/@user?x=a@b",
        &["example.com:443"],
    );
    check("ADDRESS", "10.1.2.3:80", &["10.1.2.3:80"]);
    check("ADDRESS", "[2001:db8::1]:80", &["[2001:db8::1]:80"]);
    check("API", "http://LOCALHOST:8000", &["localhost:8000"]);
    check("API", "http://api.localhost:8000", &["localhost:8000"]);
    check("API", "http://[::ffff:127.0.0.1]:8000", &["localhost:8000"]);
}

#[test]
fn other_values_name_none() {
    for (name, value) in [
        ("BIND", "0.0.0.0:8000"),
        ("TIME", "12:30"),
        ("RETRIES", "Retries:3"),
        ("DB", "sqlite:///data/app.db"),
        ("NAME", "db.example"),
        ("TEXT", "see https://example.com"),
        ("EMPTY", ""),
    ] {
        check(name, value, &[]);
    }
}

#[test]
fn a_host_beside_its_port_is_an_endpoint() {
    let of = |settings: &[(&str, &str)]| -> Vec<String> {
        let plan = plan(&Input {
            environment: "dev",
            settings: settings.to_vec(),
            ..Input::default()
        });
        plan.endpoints.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        of(&[("DB_HOST", "db.example"), ("DB_PORT", "6432")]),
        ["db.example:6432"]
    );
    assert_eq!(of(&[("PGHOST", "db.example")]), ["db.example:5432"]);
    assert_eq!(of(&[("REDIS_HOST", "cache")]), ["cache:6379"]);
    assert!(of(&[("HOST", "example.com"), ("PORT", "80")]).is_empty());
    assert!(of(&[("SOME_HOST", "example.com")]).is_empty());
}

#[test]
fn what_others_name_and_this_one_does_not_is_theirs() {
    let plan = plan(&Input {
        environment: "dev",
        settings: vec![
            ("DB_URL", "postgres://db.example/app"),
            ("MAIL", "smtp://mail.example:25"),
        ],
        others: vec![(
            "prod",
            vec![
                ("DB_URL", "postgres://db.prod.example/app"),
                ("MAIL", "smtp://mail.example:25"),
                ("CACHE", "redis://127.0.0.1:7000"),
            ],
        )],
        egress: vec![("fonts.example".to_owned(), 443)],
        presets: vec!["npm".to_owned()],
        ..Input::default()
    });
    let name = |name: &str| Host::Name(name.to_owned());
    assert_eq!(plan.owner(&name("db.prod.example"), 5432), Some("prod"));
    assert_eq!(plan.owner(&name("db.prod.example"), 80), None);
    assert_eq!(plan.owner(&name("mail.example"), 25), None);
    assert_eq!(plan.owner(&Host::Local, 7000), Some("prod"));
    assert_eq!(plan.owner_of_name("db.prod.example"), Some("prod"));
    let named: Vec<String> = plan.endpoints.iter().map(ToString::to_string).collect();
    assert!(
        named.contains(&"fonts.example:443".to_owned())
            && named.contains(&"registry.npmjs.org:443".to_owned())
    );
    assert_eq!(preset_of("registry.npmjs.org"), Some("npm"));
}

#[test]
fn a_plan_holds_no_value() {
    let canary = "hunter2canary";
    let plan = plan(&Input {
        environment: "dev",
        settings: vec![
            ("DB_URL", &format!("postgres://u:{canary}@db.example/app")),
            ("TOKEN", canary),
        ],
        others: vec![(
            "prod",
            vec![(
                "DB_URL",
                &format!("postgres://{canary}:p@db.prod.example/app?password={canary}"),
            )],
        )],
        ..Input::default()
    });
    assert!(!format!("{plan:?}").contains(canary));
}

/// The paths of a plan for a project at `/p` and a home at `/h`.
fn files_of(settings: Vec<(&str, &str)>, others: Vec<(&str, &str)>, policy: Home) -> Files {
    let places = Places {
        root: "/p".into(),
        directory: "/p/sub".into(),
        home: Some("/h".into()),
        policy,
        path: vec![
            "/usr/bin".into(),
            "/h/tools/bin".into(),
            "/p/venv/bin".into(),
        ],
        others: vec![(".env.prod".into(), "prod")],
        git: vec!["/p/.git".into()],
        ..Places::default()
    };
    plan(&Input {
        environment: "dev",
        settings,
        others: vec![("prod", others)],
        places,
        ..Input::default()
    })
    .files
}

#[test]
fn paths_of_others_are_hidden_and_own_ones_are_not() {
    let files = files_of(
        vec![
            ("DB", "sqlite:///data/dev.db"),
            ("KUBECONFIG", "~/.kube/dev"),
        ],
        vec![
            ("DB", "sqlite:///data/prod.db"),
            ("DATA", "/usr/share/data"),
            ("ALL", "/p"),
            ("SAME", "./data/dev.db"),
        ],
        Home::Guarded,
    );
    let hidden: Vec<&str> = files
        .hidden
        .iter()
        .filter_map(|hidden| hidden.path.to_str())
        .collect();
    for path in [
        "/p/.env.prod",
        "/p/data/prod.db",
        "/h/.aws",
        "/h/.ssh",
        "/p/.ringfence/secrets",
    ] {
        assert!(hidden.contains(&path), "{path}: {hidden:?}");
    }
    for path in ["/p", "/usr/share/data", "/p/data/dev.db"] {
        assert!(!hidden.contains(&path), "{path}");
    }
    assert!(files.shown_read_only.contains(&"/h/.kube/dev".into()));
    assert!(
        files
            .shown_read_only
            .contains(&"/p/.ringfence/secrets/dev".into())
    );
}

#[test]
fn each_home_has_its_paths() {
    let guarded = files_of(Vec::new(), Vec::new(), Home::Guarded);
    for path in [
        "/p/ringfence.toml",
        "/p/.git/hooks",
        "/p/.git/config",
        "/p/.envrc",
        "/h/.bashrc",
        "/h/.config/systemd",
        "/h/tools/bin",
    ] {
        assert!(guarded.read_only.contains(&path.into()), "{path}");
    }
    assert!(
        !guarded.read_only.contains(&"/p/venv/bin".into()),
        "the project's own tools can be installed"
    );
    assert!(guarded.writable.is_empty());
    let read_only = files_of(Vec::new(), Vec::new(), Home::ReadOnly);
    assert!(
        read_only.writable.contains(&"/h/.cache".into())
            && !read_only.read_only.contains(&"/h/.bashrc".into())
    );
    for files in [
        guarded,
        read_only,
        files_of(Vec::new(), Vec::new(), Home::Private),
    ] {
        assert_eq!(
            files.private,
            ["/tmp", "/var/tmp", "/run", "/dev/shm"].map(PathBuf::from)
        );
    }
}

/// What a gateway carries is reached through it alone, unless something else names it.
#[test]
fn what_is_carried_is_no_longer_in_reach() {
    let of = |more: &[(&'static str, &'static str)]| {
        let own = [
            ("OPENAI_BASE_URL", "http://127.0.0.1:4000/llm/v1"),
            ("OPENAI_API_KEY", "rf.dev.run.0"),
            ("PAY_URL", "http://127.0.0.1:4000/pay"),
            ("STRIPE_API_KEY", "rf.dev.run.0"),
        ];
        plan(&Input {
            environment: "dev",
            settings: own.into_iter().chain(more.iter().copied()).collect(),
            carried: vec![
                ("OPENAI_BASE_URL", "https://llm.example/v1"),
                ("OPENAI_API_KEY", "sk-1"),
                ("PAY_URL", "https://pay.example"),
                ("STRIPE_API_KEY", "sk_test_1"),
            ],
            others: vec![(
                "prod",
                vec![
                    ("OPENAI_BASE_URL", "https://llm.example/v1"),
                    ("PAY_URL", "https://pay.prod.example"),
                    ("STRIPE_API_KEY", "sk_live_1"),
                ],
            )],
            ..Input::default()
        })
    };
    let names = |endpoints: &[Endpoint]| {
        endpoints
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let plain = of(&[]);
    assert_eq!(names(&plain.endpoints), ["localhost:4000"]);
    assert_eq!(
        names(&plain.carried),
        [
            "llm.example:443",
            "pay.example:443",
            "api.stripe.com:443",
            "files.stripe.com:443"
        ]
    );
    // The address that it shares with another environment belongs to neither; the other's own stays the other's.
    assert_eq!(
        plain.owner(&Host::Name("llm.example".to_owned()), 443),
        None
    );
    assert_eq!(
        plain.owner(&Host::Name("pay.prod.example".to_owned()), 443),
        Some("prod")
    );
    let named = of(&[
        ("BACKUP_URL", "https://llm.example/other"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
    ]);
    assert_eq!(
        names(&named.endpoints),
        [
            "localhost:4000",
            "llm.example:443",
            "api.stripe.com:443",
            "files.stripe.com:443"
        ]
    );
    assert_eq!(names(&named.carried), ["pay.example:443"]);
}
