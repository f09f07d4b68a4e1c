use std::time::Duration;

use ringfence_gateway::status::Reloads;

use super::*;

fn traffic(name: &str, requests: u64) -> Traffic {
    Traffic {
        name: name.to_owned(),
        requests,
        errors: 3,
        limited: 12,
        input_tokens: 1_234_567,
        output_tokens: 98_765,
        p50_ms: Some(0.42),
        p95_ms: Some(1234.5),
    }
}

fn status(requests: u64) -> Status {
    Status {
        environment: "prod".to_owned(),
        production: true,
        generation: 3,
        uptime_seconds: 8075.2 + requests as f64,
        under_way: 12,
        streams: 3,
        listeners: 1,
        resources: vec![traffic("llm", requests)],
        models: vec![traffic("chat", requests), traffic("gpt\x1b[2J-4o", 7)],
        callers: vec![traffic("web", requests)],
        budgets: vec![
            Budget {
                resource: "llm".to_owned(),
                limit: "20 usd/day per caller".to_owned(),
                caller: Some("web".to_owned()),
                model: None,
                unit: "usd".to_owned(),
                most: 20.0,
                used: 19.4123,
                left: 0.5877,
                resets_in_seconds: 11_520,
            },
            Budget {
                resource: "llm".to_owned(),
                limit: "2M tokens/month".to_owned(),
                caller: None,
                model: None,
                unit: "tokens".to_owned(),
                most: 2_000_000.0,
                used: 2_000_000.0,
                left: 0.0,
                resets_in_seconds: 700_000,
            },
        ],
        upstreams: vec![Upstream {
            address: "api.example.com:443".to_owned(),
            failures: 5,
            rests_ms: 3200,
        }],
        reloads: Reloads {
            taken: 2,
            refused: 1,
            refused_because: Some("`5 apples` is no limit".to_owned()),
        },
        records_lost: 0,
        budgets_not_kept: 0,
    }
}

fn frame(columns: usize, rows: usize) -> Frame<'static> {
    Frame {
        url: "http://127.0.0.1:4000",
        columns,
        rows,
    }
}

fn page() -> Page {
    let mut page = Page::default();
    let began = Instant::now();
    page.take(status(1000), began);
    page.take(status(1082), began + Duration::from_secs(2));
    page
}

fn text(page: &Page, frame: &Frame<'_>) -> String {
    let lines = page.lines(frame).into_iter();
    lines.map(|line| line.text).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_page_fits_the_terminal_of_old() {
    insta::assert_snapshot!(text(&page(), &frame(80, 24)), @r"
    prod · http://127.0.0.1:4000 · configuration 3 · up 2h 32m
    12 under way, 3 of them streams · 41.0 requests/s · reloads: 2 taken, 1 refused
    ! the newest configuration is not served: `5 apples` is no limit
    resource             requests     /s errors    429      in     out    p50    p95
    llm                      1082   41.0      3     12   1234k   98765  0.4ms 1234ms
    model                requests     /s errors    429      in     out    p50    p95
    chat                     1082   41.0      3     12   1234k   98765  0.4ms 1234ms
    gpt�[2J-4o                  7    0.0      3     12   1234k   98765  0.4ms 1234ms
    caller               requests     /s errors    429      in     out    p50    p95
    web                      1082   41.0      3     12   1234k   98765  0.4ms 1234ms
    budget                                             used         left   resets in
    llm 20 usd/day per caller: web                  19.4123       0.5877      3h 12m
    llm 2M tokens/month                             2000000            0       8d 2h
    upstream
    api.example.com:443                        left alone for 4 s more
    ");
}

#[test]
fn no_line_is_longer_and_none_more_than_there_is_room_for() {
    let mut page = page();
    let mut many = status(5000);
    many.callers = (0..200)
        .map(|number| traffic(&format!("caller-{number:03}-{}", "x".repeat(60)), number))
        .collect();
    page.take(many, Instant::now());
    for (columns, rows) in [(80, 24), (40, 10), (200, 60), (20, 3), (80, 1)] {
        let lines = page.lines(&frame(columns, rows));
        assert!(lines.len() <= rows, "{columns}×{rows}: {}", lines.len());
        assert!(
            lines
                .iter()
                .all(|line| line.text.chars().count() <= columns)
        );
    }
    let shown = text(&page, &frame(80, 24));
    assert!(
        shown.contains("more") && shown.contains("caller-199"),
        "{shown}"
    );
    assert!(
        shown.contains("budget") && shown.contains("left alone"),
        "{shown}"
    );
    let whole = text(&page, &frame(80, usize::MAX));
    assert!(
        !whole.contains(" more\n") && whole.contains("caller-000"),
        "{whole}"
    );
}

#[test]
fn nothing_that_is_shown_moves_the_cursor() {
    let mut page = Page::default();
    let mut evil = status(1);
    let name = "a\x1b[31m\u{9b}2J\u{202e}b\nc\r";
    evil.environment = name.to_owned();
    evil.resources = vec![traffic(name, 1)];
    evil.budgets[0].caller = Some(name.to_owned());
    evil.upstreams[0].address = name.to_owned();
    evil.reloads.refused_because = Some(name.to_owned());
    page.take(evil.clone(), Instant::now());
    page.lose(name);
    for line in page.lines(&frame(300, 100)) {
        assert!(!line.text.contains(is_active), "{line:?}");
    }
    let json = escaped(&serde_json::to_string(&evil).unwrap());
    assert!(!json.contains(is_active), "{json}");
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), evil);
}

#[test]
fn a_gateway_that_was_started_anew_has_no_rate_yet() {
    let mut page = page();
    let mut anew = status(3);
    anew.uptime_seconds = 1.0;
    page.take(anew, Instant::now());
    assert!(!text(&page, &frame(80, 24)).contains("requests/s"));
}
