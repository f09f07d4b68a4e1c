use super::*;
use proptest::prelude::*;
use ringfence_diagnostic::Sources;

fn read(input: &[u8]) -> Parsed {
    let source = Sources::new().add("f", String::from_utf8_lossy(input));
    parse(source, input)
}

/// Every assignment as `name=value`, references as `${…}`, then the codes of the diagnostics.
fn summary(input: &str) -> String {
    let parsed = read(input.as_bytes());
    let assignments = parsed.tree.assignments().map(|assignment| {
        let value: String = assignment.value.pieces(input).iter().map(shown).collect();
        format!("{}={value}", assignment.name.of(input))
    });
    let codes = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| format!("!{}", diagnostic.code));
    assignments.chain(codes).collect::<Vec<_>>().join(" | ")
}

fn shown(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => {
            let escapes = [
                ("\\", "\\\\"),
                ("\n", "\\n"),
                ("\r", "\\r"),
                ("\t", "\\t"),
                ("\u{a0}", "<nbsp>"),
            ];
            escapes
                .iter()
                .fold(text.to_string(), |text, (from, to)| text.replace(from, to))
        }
        Piece::Reference(reference) => {
            let otherwise = match &reference.otherwise {
                template::Otherwise::Nothing => String::new(),
                template::Otherwise::Default(pieces) => {
                    format!("-{}", pieces.iter().map(shown).collect::<String>())
                }
                template::Otherwise::Message(message) => format!("?{message}"),
            };
            format!("<{}{otherwise}>", reference.name)
        }
    }
}

fn check(input: &str, expected: &str) {
    assert_eq!(summary(input), expected, "{input:?}");
}

#[test]
fn plain_values() {
    check(
        "A=1\nB = two words \n\n# note\n  C=\n",
        "A=1 | B=two words | C=",
    );
    check(
        "export A=1\nexport\tB=2\nexport=3\nexport =4\n",
        "A=1 | B=2 | export=3 | export=4 | !duplicate-setting",
    );
    check("a.b=1\nA=it's \"fine\"\n", "a.b=1 | A=it's \"fine\"");
    check("A=C:\\new\\table", "A=C:\\\\new\\\\table");
}

#[test]
fn comments_need_white_space_before_them() {
    check(
        "A=v#c\nB=v # c\nC=#fff\nD= # c\nE=\t#c\nF='v' # it's\n",
        "A=v#c | B=v | C=#fff | D= | E= | F=v",
    );
}

#[test]
fn quotes() {
    check(r#"A='$B ${C} \n'"#, r"A=$B ${C} \\n");
    check(r#"A="\n\r\t\"\\\$\q\u00e9""#, r#"A=\n\r\t"\\$\\q\\u00e9"#);
    check("A=\"l1\nl2\"\nB='x\r\ny'\r\n", "A=l1\\nl2 | B=x\\ny");
    check("A=\"a\" b\nB=1\n", "B=1 | !text-after-quote");
    check("A='it\\'s'\nB=1\n", "B=1 | !text-after-quote");
    check("A=1\nB=\"x\nC=2\n", "A=1 | !unterminated-quote");
    check("A=\"x\\\"\n", "!unterminated-quote");
    check("A=`x`\n", "!back-quote");
}

#[test]
fn references() {
    check("A=${B}c$D$", "A=<B>c$D$");
    check("A=\"${B:-x ${C:-y}}\"", "A=<B-x <C-y>>");
    check("A=${B:?must be set}", "A=<B?must be set>");
    check(r#"A="\${B}""#, "A=${B}");
    check("A=${}${1}${#B}$(x)", "A=${}${1}${#B}$(x)");
    check("A=${B\n", "A=${B | !bad-reference");
    check(
        "A=${B-x}${C:+y}\n",
        "A=${B-x}${C:+y} | !bad-reference | !bad-reference",
    );
    check("A=${B:-{\"a\":1}}", "A=<B-{\"a\":1>} | !bad-reference");
    let nested = |depth: usize| format!("A={}x{}", "${B:-".repeat(depth), "}".repeat(depth));
    assert!(!summary(&nested(MAX)).contains("bad-reference"));
    assert!(summary(&nested(MAX + 1)).contains("bad-reference"));
    const MAX: usize = template::MAX_DEPTH;
}

#[test]
fn lines_that_are_no_assignments() {
    check("A=1\nnonsense\nB=2\n", "A=1 | B=2 | !not-an-assignment");
    check(
        "=v\n; c\n// c\n",
        "!not-an-assignment | !not-an-assignment | !not-an-assignment",
    );
    check(
        "1K=v\nMY KEY=v\n\u{200b}K=v\na-b=v\n",
        "!invalid-name | !invalid-name | !invalid-name | !invalid-name",
    );
}

#[test]
fn a_name_may_come_twice_only_with_one_value() {
    check("A=1\nA=\"1\"\n", "A=1 | A=1");
    check("A=1\nA=2\n", "A=1 | A=2 | !duplicate-setting");
    check("A=${B}\nA=${C}\n", "A=<B> | A=<C> | !duplicate-setting");
}

#[test]
fn encodings() {
    check("\u{feff}A=1\n", "A=1");
    check("A=1\rB=2\n", "!stray-carriage-return");
    check("A=v\u{a0}\n", "!invisible-white-space");
    check("A=\"v\u{a0}\"\n", "A=v<nbsp>");
    for (input, code) in [
        (&b"\xff\xfeA\0=\0"[..], "utf-16"),
        (b"\xfe\xff\0A\0=", "utf-16"),
        (b"A\0=\x001\0\n\0", "utf-16"),
        (b"A=1\nB=\xe9\n", "not-utf-8"),
        (b"A=1\nB=a\0b\n", "nul-byte"),
    ] {
        let parsed = read(input);
        assert_eq!(
            parsed
                .diagnostics
                .iter()
                .map(|d| d.code)
                .collect::<Vec<_>>(),
            [code]
        );
        assert_eq!(parsed.tree.print(input), input);
    }
    let nul = &read(b"A=1\nB=a\0b\n").diagnostics[0];
    assert_eq!(nul.labels[0].place.span, Span::new(7, 8));
}

#[test]
fn bare_names_are_found() {
    let names = |value| template::bare_names(value).collect::<Vec<_>>();
    assert_eq!(names("a$B-${C}$D.e$1$"), ["B", "D"]);
}

#[test]
fn nothing_but_names_is_shown() {
    let input = "# sk_live_1\nexport A=sk_live_2 # sk_live_3\nsk_live_4\nB='sk_live_5'\n";
    let shown: String = read(input.as_bytes())
        .tree
        .shown()
        .iter()
        .map(|span| span.of(input))
        .collect();
    assert_eq!(shown, "export A=B=");
}

/// Lines that look like those of real files, with every special character of the grammar.
fn any_file() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[A-Za-z_.]{1,4} ?= ?[a-z$\\{\\}:\\-?\\\\'\"`# \t\r\u{a0}é]{0,12}",
        "(export )?[A-Z]{1,2}=(\"[^\"\\\\]{0,8}\"|'[^']{0,8}')( # c)?",
        "[#;/ \t]{0,3}[a-z=]{0,6}",
        "\\PC{0,8}",
    ];
    proptest::collection::vec((line, prop_oneof!["\n", "\r\n", "\r", ""]), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

proptest! {
    #[test]
    fn parse_then_print_is_the_identity_on_bytes(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&input).tree.print(&input), input);
    }

    #[test]
    fn lines_tile_the_text_and_parts_lie_in_their_line(input in any_file()) {
        let parsed = read(input.as_bytes());
        let mut offset = 0;
        for line in parsed.tree.lines() {
            prop_assert_eq!(line.span.start, offset);
            prop_assert!(line.span.end > offset);
            offset = line.span.end;
            if let LineKind::Assignment(assignment) = &line.kind {
                let ends = [line.span.start, assignment.name.start, assignment.name.end, assignment.head.end,
                    assignment.value.span.start, assignment.value.inner.start, assignment.value.inner.end,
                    assignment.value.span.end, assignment.comment.map_or(line.span.end, |comment| comment.start), line.span.end];
                prop_assert!(ends.is_sorted(), "{ends:?}");
                prop_assert!(template::is_name(assignment.name.of(&input)));
                drop(assignment.value.pieces(&input));
            }
        }
        prop_assert_eq!(offset, input.len());
        prop_assert_eq!(parsed.tree.print(input.as_bytes()), input.as_bytes());
    }

    #[test]
    fn a_value_in_single_quotes_is_read_back_as_it_was(value in "[^'\r\0]{0,40}") {
        let input = format!("A='{value}'\n");
        let parsed = read(input.as_bytes());
        prop_assert!(parsed.diagnostics.is_empty());
        let assignment = parsed.tree.assignments().next().unwrap();
        prop_assert_eq!(assignment.value.literal(&input).unwrap(), value);
    }

    #[test]
    fn a_diagnostic_lies_inside_the_file(input in any_file()) {
        for diagnostic in read(input.as_bytes()).diagnostics {
            prop_assert!(!diagnostic.labels.is_empty() && !diagnostic.help.is_empty());
            for label in &diagnostic.labels {
                prop_assert!(label.place.span.end <= input.len() && input.is_char_boundary(label.place.span.start));
            }
        }
    }
}
