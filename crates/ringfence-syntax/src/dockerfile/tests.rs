use super::*;
use proptest::prelude::*;

fn summary(input: &str) -> String {
    let shown = |instruction: &Instruction| match &instruction.kind {
        Kind::From { image, stage } => {
            format!("FROM {image} AS {}", stage.as_deref().unwrap_or("-"))
        }
        Kind::Env { name, value, .. } => format!("ENV {name}={value}"),
        Kind::Arg { name, value, .. } => match value {
            Some(value) => format!("ARG {name}={value}"),
            None => format!("ARG {name}"),
        },
        Kind::Copy { sources, target } => {
            let sources: Vec<&str> = sources.iter().map(|(text, _)| text.as_str()).collect();
            format!("COPY [{}] {target}", sources.join(", "))
        }
        Kind::Run { text_span } => format!("RUN {:?}", text_span.of(input)),
        Kind::Other => format!("({})", instruction.span.of(input)),
    };
    let instructions = parse(input);
    instructions
        .iter()
        .map(shown)
        .collect::<Vec<_>>()
        .join(" | ")
}

fn check(input: &str, expected: &str) {
    assert_eq!(summary(input), expected, "{input:?}");
}

#[test]
fn images_and_stages() {
    check("FROM alpine\n", "FROM alpine AS -");
    check(
        "\u{feff}# syntax=docker/dockerfile:1\r\n\r\nfrom --platform=$BUILDPLATFORM node:22-alpine as build\r\n",
        "FROM node:22-alpine AS build",
    );
    check("FROM", "(FROM)");
}

#[test]
fn variables() {
    check("ENV A=1 B=\"x y\"", "ENV A=1 | ENV B=x y");
    check("ENV A some value  ", "ENV A=some value");
    check("ENV A \"some value\"", "ENV A=some value");
    check(
        "env A=1 \\\n    # why\n\n    B=2 \\\n  C=3",
        "ENV A=1 | ENV B=2 | ENV C=3",
    );
    check(
        r#"ENV A=a\ b B='$c \x' C="\"\$d\e" D=$HOME/${X:-y}"#,
        r#"ENV A=a b | ENV B=$c \x | ENV C="$d\e | ENV D=$HOME/${X:-y}"#,
    );
    check("ENV A= B", "ENV A=");
    check("ENV A", "(ENV A)");
    check(
        "ARG A\nARG B=c D=\"e f\" G",
        "ARG A | ARG B=c | ARG D=e f | ARG G",
    );
}

#[test]
fn copied_files() {
    check("COPY . .", "COPY [.] .");
    check("copy --chown=a:b .env* /app/", "COPY [.env*] /app/");
    check("ADD a b /c", "COPY [a, b] /c");
    check("COPY --from=build /app/.env /app/", "COPY [] /app/");
    check(
        r#"COPY --link [ "a b", "\u0063\"d" , "e" ] "#,
        r#"COPY [a b, c"d] e"#,
    );
    check("COPY [\"a\",\\\n\"b\"]", "COPY [a] b");
    check("COPY [\"a\",] b", "COPY [[a,]] b");
    check(
        "COPY <<A <<\"B\" c /d/\nENV X=1\nA\nENV Y=2\nB\nENV Z=3",
        "COPY [c] /d/ | ENV Z=3",
    );
}

#[test]
fn commands() {
    check(
        "RUN echo \\\n  # a comment\n  two\nCMD [\"x\"]",
        r##"RUN "echo \\\n  # a comment\n  two" | (CMD ["x"])"##,
    );
    check(
        "RUN <<EOF\nENV A=1\n EOF\nEOF\nENV B=2",
        r#"RUN "<<EOF\nENV A=1\n EOF\nEOF" | ENV B=2"#,
    );
    check(
        "RUN cat <<-'EOF' > x\r\n\tFROM a\r\n\tEOF\r\nENV B=2",
        r#"RUN "cat <<-'EOF' > x\r\n\tFROM a\r\n\tEOF" | ENV B=2"#,
    );
    check(
        "RUN echo $((1<<2)) <<< a\nENV B=2",
        r#"RUN "echo $((1<<2)) <<< a" | ENV B=2"#,
    );
    check("RUN <<EOF\nENV A=1\n", r#"RUN "<<EOF\nENV A=1""#);
    check(
        "ONBUILD ENV A=1\nHEALTHCHECK NONE",
        "(ONBUILD ENV A=1) | (HEALTHCHECK NONE)",
    );
}

#[test]
fn escape_characters() {
    check(
        "# escape=`\nENV A=C:\\ B=x`\n  C=`$",
        "ENV A=C:\\ | ENV B=x | ENV C=$",
    );
    check("#a\n# escape=`\nENV A=1 \\\nB=2", "ENV A=1 | ENV B=2");
    check("ENV A=b\\\\\nENV C=d", "ENV A=b\\ | ENV C=d");
    check("ENV A=b\\  \n C=d\\", "ENV A=b | ENV C=d");
    check("ENV A=b\\\nc", "ENV A=bc");
}

#[test]
fn spans() {
    let text = "ENV AB=1 C=\"x y\"\nARG D=\\\ne\nCOPY [\"f\", \"g\"]\nENV H i j";
    let written: Vec<String> = parse(text)
        .iter()
        .map(|instruction| match &instruction.kind {
            Kind::Env {
                name_span,
                value_span,
                ..
            } => {
                format!("{}={}", name_span.of(text), value_span.of(text))
            }
            Kind::Arg {
                name_span,
                value_span,
                ..
            } => {
                format!("{}={}", name_span.of(text), value_span.unwrap().of(text))
            }
            Kind::Copy { sources, .. } => sources[0].1.of(text).to_owned(),
            _ => String::new(),
        })
        .collect();
    assert_eq!(written, ["AB=1", "C=\"x y\"", "D=\\\ne", "f", "H=i j"]);
}

#[test]
fn long_lines() {
    for part in [
        "x",
        "\\ ",
        "\\\n",
        "\\\n#\n",
        "RUN <<A\n",
        "RUN <<A ",
        "COPY [\"",
        "ENV A=\" ",
    ] {
        let _ = parse(&part.repeat(300_000));
    }
    let long = "é".repeat(1_000_000);
    check(&format!("ENV A={long}"), &format!("ENV A={long}"));
}

/// Every span of an instruction, and the name that one of them holds.
fn parts(kind: &Kind) -> (Vec<Span>, Option<(&str, Span)>) {
    match kind {
        Kind::Env {
            name,
            name_span,
            value_span,
            ..
        } => (vec![*name_span, *value_span], Some((name, *name_span))),
        Kind::Arg {
            name,
            name_span,
            value_span,
            ..
        } => {
            let spans = [Some(*name_span), *value_span];
            (
                spans.into_iter().flatten().collect(),
                Some((name, *name_span)),
            )
        }
        Kind::Copy { sources, .. } => (sources.iter().map(|(_, span)| *span).collect(), None),
        Kind::Run { text_span } => (vec![*text_span], None),
        Kind::From { .. } | Kind::Other => (Vec::new(), None),
    }
}

proptest! {
    #[test]
    fn spans_lie_on_character_boundaries(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "ENV ", "ARG ", "COPY ", "RUN ", "\n", "\\", "\\\n", " ", "A", "=", "é", "\"", "'", "[", "]", ",",
                "<<E", "E\n", "#", "`", "--from=x ", "\r", "\u{a0}", "FROM ",
            ]),
            0..40,
        )
    ) {
        let text = words.concat();
        let mut end = 0;
        for instruction in parse(&text) {
            let span = instruction.span;
            prop_assert!(text.get(span.start..span.end).is_some());
            prop_assert!(span.start >= end || span.end == end);
            end = span.end;
            let (spans, name) = parts(&instruction.kind);
            for part in spans {
                prop_assert!(text.get(part.start..part.end).is_some(), "{part:?}");
                prop_assert!(span.start <= part.start && part.end <= span.end, "{part:?} {span:?}");
            }
            if let Some((name, span)) = name
                && !span.of(&text).contains('\n')
            {
                prop_assert_eq!(span.of(&text), name);
            }
        }
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = parse(&text);
    }
}
