use proptest::prelude::*;
use ringfence_diagnostic::Sources;

use super::interpolation::{Otherwise, interpolate, references, sole_reference};
use super::precedence::{Claim, Claims, winner};
use super::*;
use crate::tree::yaml;

fn compose(text: &str) -> Compose {
    let source = Sources::new().add("compose.yml", text);
    read(&yaml::parse(source, text).documents[0], text)
}

#[test]
fn services_are_read_with_their_places() {
    let text = "services:\n  web:\n    image: app\n    build: {context: ., args: [A=1]}\n    env_file:\n      - .env\n      - path: .env.prod\n        required: false\n    environment:\n      - URL=postgres://db/app\n      - \"KEY=v w\"\n      - PASSED\n    volumes: [\".:/app\", \"data:/x\"]\n  db:\n    env_file: db.env\n    environment:\n      A: \"b\"\n      EMPTY:\n";
    let compose = compose(text);
    let web = &compose.services[0];
    let places: Vec<_> = web
        .environment
        .iter()
        .map(|it| {
            (
                it.name_span.of(text),
                it.value_span.of(text),
                it.value.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("URL", "postgres://db/app", Some("postgres://db/app")),
            ("KEY", "v w", Some("v w")),
            ("PASSED", "", None)
        ]
    );
    assert_eq!(web.env_files[1].path, ".env.prod");
    assert!(web.env_files[0].required && !web.env_files[1].required);
    assert_eq!(web.mounts, ["."]);
    assert_eq!(web.build.as_ref().unwrap().arguments[0].name, "A");
    let db = &compose.services[1];
    assert_eq!(db.env_files[0].span.of(text), "db.env");
    assert_eq!(db.environment[1].value, None);
}

#[test]
fn an_override_file_wins_by_name_and_adds_env_files() {
    let base = compose("services: {web: {image: a, env_file: .env, environment: {A: 1, B: 1}}}");
    let over = compose("services: {web: {env_file: [.env.prod], environment: [B=2, C=2]}}");
    let merged = base.services[0].merged(&over.services[0]);
    let values: Vec<_> = merged
        .environment
        .iter()
        .map(|it| format!("{}={}", it.name, it.value.as_deref().unwrap()))
        .collect();
    assert_eq!(values, ["A=1", "B=2", "C=2"]);
    let files: Vec<_> = merged
        .env_files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(files, [".env", ".env.prod"]);
    assert_eq!(merged.image.as_deref(), Some("a"));
}

/// run, environment, env_file, image, shell, `.env`, result
const TABLE: &str = "\
-         -         -         -         VALUE=1.4 VALUE=1.3 -
-         -         VALUE=1.6 VALUE=1.5 VALUE=1.4 -         VALUE=1.6
-         VALUE=1.7 -         VALUE=1.5 VALUE=1.4 -         VALUE=1.7
-         -         -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.5
VALUE=1.8 -         -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.8
VALUE     -         -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.4
VALUE     -         -         VALUE=1.5 -         VALUE=1.3 VALUE=1.3
-         -         VALUE     VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.4
-         -         VALUE     VALUE=1.5 -         VALUE=1.3 VALUE=1.3
-         VALUE     -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.4
-         VALUE     -         VALUE=1.5 -         VALUE=1.3 VALUE=1.3
VALUE     VALUE=1.7 -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.4
VALUE=1.8 VALUE=1.7 -         VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.8
VALUE=1.8 -         VALUE=1.6 VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.8
VALUE=1.8 VALUE=1.7 VALUE=1.6 VALUE=1.5 VALUE=1.4 VALUE=1.3 VALUE=1.8
";

/// Docker's own table, row by row; `VALUE` alone passes the caller's value on.
#[test]
fn precedence_follows_dockers_table() {
    fn claim(cell: &'static str) -> Option<Claim<'static>> {
        match cell.split_once('=') {
            Some((_, value)) => Some(Claim::Value(value)),
            None => (cell != "-").then_some(Claim::Name),
        }
    }
    let value = |cell: &'static str| cell.split_once('=').map(|(_, value)| value);
    for (number, row) in TABLE.lines().enumerate() {
        let cells: Vec<&'static str> = row.split_whitespace().collect();
        let [run, environment, env_file, image, shell, dotenv, result] = cells[..] else {
            panic!("row {} has {} cells", number + 1, cells.len());
        };
        let claims = Claims {
            run: claim(run),
            environment: claim(environment),
            env_file: claim(env_file),
            image: value(image),
            shell: value(shell),
            dotenv: value(dotenv),
        };
        let seen = winner("VALUE", claims).map(|(_, value)| value);
        assert_eq!(seen.as_deref(), value(result), "row {}", number + 1);
    }
}

#[test]
fn an_interpolated_value_takes_the_shell_before_the_env_file() {
    let claims = Claims {
        environment: Some(Claim::Value("${VALUE:-default}")),
        env_file: Some(Claim::Value("from-file")),
        ..Claims::default()
    };
    let seen = |claims| winner("VALUE", claims).map(|(_, value)| value).unwrap();
    assert_eq!(seen(claims), "default");
    assert_eq!(
        seen(Claims {
            dotenv: Some("d"),
            ..claims
        }),
        "d"
    );
    assert_eq!(
        seen(Claims {
            dotenv: Some("d"),
            shell: Some("s"),
            ..claims
        }),
        "s"
    );
}

#[test]
fn references_are_found_with_their_defaults() {
    let found: Vec<_> = references("a ${A} $B ${C:-x${D}y} $$E ${F?no} ${G:+g} $1 ${}")
        .into_iter()
        .map(|reference| (reference.name, reference.otherwise))
        .collect();
    assert_eq!(
        found,
        [
            ("A", Otherwise::Nothing),
            ("B", Otherwise::Nothing),
            ("C", Otherwise::Default("x${D}y")),
            ("F", Otherwise::Error),
            ("G", Otherwise::Alternative("g")),
        ]
    );
    assert_eq!(
        sole_reference("${A:-b}").unwrap().otherwise,
        Otherwise::Default("b")
    );
    assert!(sole_reference("x${A}").is_none());
    let lookup = |name: &str| (name == "D").then(|| "d".to_owned());
    assert_eq!(interpolate("${C:-x${D}y}$$", &lookup).unwrap(), "xdy$");
    assert!(interpolate("${X:?no}", &lookup).is_none());
}

proptest! {
    #[test]
    fn any_text_is_interpolated_without_panic(text in "\\PC{0,60}|([$]|[{]|[}]|:-|A|é|:[?]){0,60}") {
        let _ = interpolate(&text, &|name| Some(name.to_lowercase()));
        let _ = references(&text);
    }
}
