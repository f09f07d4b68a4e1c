use super::*;
use proptest::prelude::*;

fn summary(input: &str) -> String {
    let shown = |action: &Action| match &action.kind {
        Kind::CopyEnvFile { from, to } => format!("{} -> {}", from.text, to.text),
        Kind::SourceEnvFile { file } => format!(". {}", file.text),
        Kind::Assign {
            name,
            value,
            export,
            ..
        } => {
            format!(
                "{}{name}={}",
                if *export { "export " } else { "" },
                value.text
            )
        }
    };
    let actions = parse(input);
    actions.iter().map(shown).collect::<Vec<_>>().join(" | ")
}

fn check(input: &str, expected: &str) {
    assert_eq!(summary(input), expected, "{input:?}");
}

#[test]
fn copies() {
    check("cp .env.example .env", ".env.example -> .env");
    check(
        "cp -n -- config/env.example .env\n",
        "config/env.example -> .env",
    );
    check("cp a b; mv .env .env.old; cp .envrc x; cp .env/bin/a b", "");
    check(
        "cp .env .env.local /backup/",
        ".env -> /backup/ | .env.local -> /backup/",
    );
    check(
        "cat .env.base .env.prod > .env 2>/dev/null",
        ".env.base -> .env | .env.prod -> .env",
    );
    check("cat .env; cat .env >> x; cat <.env.a >.env", "");
    check("ln -sf ../.env.prod .env", "../.env.prod -> .env");
    check("cp -t /srv .env", "");
    check("cp\t'.env example' \".env\"", ".env example -> .env");
}

#[test]
fn lists_and_conditions() {
    check(
        "[ -f .env ] || cp .env.example .env",
        ".env.example -> .env",
    );
    check(
        "test -f .env||cp .env.example .env&&echo ok",
        ".env.example -> .env",
    );
    check(
        "if [ ! -f .env ]; then cp .env.example .env; fi",
        ".env.example -> .env",
    );
    check(
        "if ! cp .env.a .env\nthen\n  . .env.b\nelse . .env.c; fi",
        ".env.a -> .env | . .env.b | . .env.c",
    );
    check("f() { (sudo /bin/cp .env.a .env) & }", ".env.a -> .env");
    check(
        "case $1 in prod) . .env.prod ;; *) . .env ;; esac",
        ". .env.prod | . .env",
    );
    check("echo cp .env.a .env", "");
}

#[test]
fn sourced_files() {
    check("source .env", ". .env");
    check("set -a; . ./.env; set +a", ". ./.env");
    check(
        ". \"$ROOT/.env.$APP_ENV\" && . \"$(dirname \"$0\")/.env\"",
        ". $ROOT/.env.$APP_ENV | . $(dirname \"$0\")/.env",
    );
    check(". ${ENV_FILE:-.env}", ". ${ENV_FILE:-.env}");
    check(
        "source ~/.bashrc; source .env/bin/activate; . venv/x.env",
        "",
    );
    check("if true; then\r\n  source .env\r\nfi\r\n", ". .env");
}

#[test]
fn assignments() {
    check("A=b", "A=b");
    check("export A=b C D='e f'", "export A=b | export D=e f");
    check(
        "declare -x A=1; readonly B=2; local C=$3",
        "export A=1 | B=2 | C=$3",
    );
    check("APP_ENV=test php artisan", "export APP_ENV=test");
    check("A=\"${B:-it's}\" C=x\\ y", "A=${B:-it's} | C=x y");
    check("A+=b; A=(x y); \"B=1\"; 1A=2; B\"C\"=3; echo D=4", "");
    check(
        "A= ; B=$(cat <<E\nit's )\nE\n); C=1",
        "A= | B=$(cat <<E\nit's )\nE\n) | C=1",
    );
    check("A=$((1 << 2)); ((i<<=1)); B=2", "A=$((1 << 2)) | B=2");
    check("A=`echo ';'`; B=2", "A=`echo ';'` | B=2");
}

#[test]
fn variables() {
    check(
        "F=\".env.$APP_ENV\"\n. $F",
        "F=.env.$APP_ENV | . .env.$APP_ENV",
    );
    check(
        "E=dev; F=.env.${E}; cp \"${F}\" .env",
        "E=dev | F=.env.${E} | .env.dev -> .env",
    );
    check("F=.env; . '$F'; . \\$F; F=x; . $F", "F=.env | F=x");
    check("F=.env; for F in a b; do . $F; done", "F=.env");
    check("F=.env; F=a . b; . $F", "F=.env | export F=a | . .env");
    check(
        "E=${E:-dev}; . .env.$E; . .env.${E:-x}",
        "E=${E:-dev} | . .env.${E:-dev} | . .env.${E:-x}",
    );
    check("F=.env; F+=.local; . $F", "F=.env");
}

#[test]
fn what_is_passed_over() {
    check(
        "# cp .env.a .env\necho x # . .env\necho a#b; . .env",
        ". .env",
    );
    check("cat <<EOF > x\n. .env\nEOF\n. .env.b", ". .env.b");
    check(
        "cat <<-'EOF'\n\t. .env\n\tEOF\ncat <<A <<B\nA\n. .env\nB\n. .env.b",
        ". .env.b",
    );
    check("cat <<EOF\n. .env", "");
    check("cat <<< x; . .env", ". .env");
    check("echo '\n. .env\n' \"\n. .env\n\"", "");
    check("cp \\\n  .env.a \\\r\n  .env", ".env.a -> .env");
}

#[test]
fn makefiles() {
    check(
        "setup: .env\n\t@cp .env.example .env\n\t-@test -f .env || cp .env.b .env\n\t@ . .env",
        ".env.example -> .env | .env.b -> .env | . .env",
    );
    check(
        "-include .env\nexport\nrun:\n\t@A=1 ./run\n\tcp $(SRC)/.env .env",
        ". .env | export A=1 | $(SRC)/.env -> .env",
    );
}

#[test]
fn spans() {
    let text = "if x; then @AB='c d' \"run\" ; fi; cp  '.env.a' \".env\" >x";
    let actions = parse(text);
    let Kind::Assign {
        name_span, value, ..
    } = &actions[0].kind
    else {
        panic!("{actions:?}")
    };
    assert_eq!(actions[0].span.of(text), "@AB='c d' \"run\"");
    assert_eq!(name_span.of(text), "AB");
    assert_eq!(value.span.of(text), "'c d'");
    let Kind::CopyEnvFile { from, .. } = &actions[1].kind else {
        panic!("{actions:?}")
    };
    assert_eq!(actions[1].span.of(text), "cp  '.env.a' \".env\"");
    assert_eq!(from.span.of(text), "'.env.a'");
}

#[test]
fn long_scripts() {
    let parts = [
        "x", "$(", "${", "'", "\"", "`", "\\\n", "A=$A$A;", ". $A;", "<<E ", "<<E\n", "((", "$((",
        "\"${", "A=1 ", "$(<<E\n", "\\\\", "-", "cp .env ", ".env", "=",
    ];
    for part in parts {
        let script = format!("A=.env/{};cp {} z", "x".repeat(500), part.repeat(100_000));
        let actions = parse(&script);
        let words = actions.iter().map(|action| match &action.kind {
            Kind::CopyEnvFile { from, to } => from.text.len() + to.text.len(),
            Kind::SourceEnvFile { file } => file.text.len(),
            Kind::Assign { value, .. } => value.text.len(),
        });
        assert!(
            words.sum::<usize>() <= 3 * script.len() + 200_000,
            "{part:?}"
        );
    }
    let long = "é".repeat(1_000_000);
    check(&format!("A={long}"), &format!("A={long}"));
}

proptest! {
    #[test]
    fn spans_lie_on_character_boundaries(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "cp ", "cat ", ". ", ".env", " ", "\n", ";", "A", "=", "é", "\"", "'", "`", "$", "${", "}", "$(", ")",
                "(", "<<E", "\nE\n", "#", "\\", ">", "<", "&", "|", "export ", "@", "-", "+", "1", "\r", "A=.env;",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        for action in parse(&text) {
            let within = |span: Span| {
                let is_text = text.get(span.start..span.end).is_some();
                is_text && action.span.start <= span.start && span.start <= span.end
            };
            prop_assert!(within(action.span));
            match action.kind {
                Kind::CopyEnvFile { from, to } => {
                    prop_assert!(within(from.span) && within(to.span));
                }
                Kind::SourceEnvFile { file } => prop_assert!(within(file.span)),
                Kind::Assign { name, name_span, value, .. } => {
                    prop_assert!(within(value.span));
                    prop_assert_eq!(name_span.of(&text), name);
                    let written = value.span.of(&text);
                    if !written.contains(['"', '\'', '\\']) {
                        prop_assert_eq!(written, value.text);
                    }
                }
            }
        }
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = parse(&text);
    }
}
