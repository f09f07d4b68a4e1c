use serde_json::json;

use super::*;
use crate::definition::{Environment, FlagFile, Sources, build};

const FLAGS: &str = r#"{
  "flags": {
    "static": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "empty": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {}},
    "none": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": null},
    "disabled": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {"if": [true, "on"]}},
    "plan": {"state": "ENABLED", "variants": {"small": 1.0, "large": 1e3}, "defaultVariant": "small",
             "targeting": {"if": [{"==": [{"var": "plan"}, "pro"]}, "large"]}},
    "home": {"state": "ENABLED", "variants": {"here": 1, "there": 2},
             "targeting": {"if": [{"==": [{"var": "environment"}, "prod"]}, "here",
                                  {"==": [{"var": "tier"}, "production"]}, "here", "there"]}},
    "truth": {"state": "ENABLED", "variants": {"true": "yes", "false": "no"}, "targeting": {"!!": {"var": "x"}}},
    "number": {"state": "ENABLED", "variants": {"1": 1}, "targeting": {"+": [0, 1]}},
    "stranger": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "targeting": {"var": "plan"}},
    "list": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"merge": []}},
    "hour": {"state": "ENABLED", "variants": {"early": 1, "late": 2},
             "targeting": {"if": [{"<": [{"var": "$flagd.timestamp"}, 1000]}, "early", "late"]}},
    "broken": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"$ref": "nowhere"}},
    "endless": {"state": "ENABLED", "variants": {"on": true}, "targeting":
      {"reduce": [{"var": "list"}, {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]}},
    "object": {"state": "ENABLED", "variants": {"a": { "x" : [ 1.0, 12345678901234567890123 ] }}, "defaultVariant": "a"}
  }
}"#;

fn set() -> FlagSet {
    let file = FlagFile::read("flags.json", FLAGS).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    build(
        &Sources {
            files: &[file],
            ..Sources::default()
        },
        &environment,
    )
    .0
}

/// Value, variant and reason, or the error's code.
#[track_caller]
fn check(key: &str, context: &Json, expected: Result<(&str, &str, &str), &str>) {
    let set = set();
    let subject = Subject::new(context.as_object().unwrap().clone(), &set, 999);
    let found = set.evaluate(key, &subject);
    let found = match &found {
        Ok(found) => Ok((
            found.value.unwrap_or(""),
            found.variant,
            found.reason.word(),
        )),
        Err(error) => Err(error.code()),
    };
    assert_eq!(found, expected, "{key}");
}

#[test]
fn reasons() {
    check("static", &json!({}), Ok(("true", "on", "STATIC")));
    check("empty", &json!({}), Ok(("true", "on", "STATIC")));
    check("none", &json!({}), Ok(("", "", "DEFAULT")));
    check("disabled", &json!({}), Ok(("", "", "DISABLED")));
    check(
        "plan",
        &json!({"plan": "pro"}),
        Ok(("1e3", "large", "TARGETING_MATCH")),
    );
    check(
        "plan",
        &json!({"plan": "free"}),
        Ok(("1.0", "small", "DEFAULT")),
    );
    check(
        "truth",
        &json!({"x": 1}),
        Ok(("\"yes\"", "true", "TARGETING_MATCH")),
    );
    check(
        "truth",
        &json!({}),
        Ok(("\"no\"", "false", "TARGETING_MATCH")),
    );
    check("number", &json!({}), Ok(("1", "1", "TARGETING_MATCH")));
    check(
        "hour",
        &json!({"$flagd": {"timestamp": 5000}}),
        Ok(("1", "early", "TARGETING_MATCH")),
    );
    check(
        "object",
        &json!({}),
        Ok((r#"{"x":[1.0,12345678901234567890123]}"#, "a", "STATIC")),
    );
}

#[test]
fn errors_have_openfeatures_codes() {
    check("missing", &json!({}), Err("FLAG_NOT_FOUND"));
    check("broken", &json!({}), Err("PARSE_ERROR"));
    check("stranger", &json!({"plan": "free"}), Err("GENERAL"));
    check("stranger", &json!({}), Ok(("true", "on", "DEFAULT")));
    check("list", &json!({}), Err("GENERAL"));
    check("endless", &json!({"list": vec![1; 100]}), Err("GENERAL"));
}

#[test]
fn no_caller_says_which_environment_it_is_in() {
    for claim in [
        json!({}),
        json!({"environment": "dev", "tier": "development"}),
        json!({"environment": null, "tier": ["x"]}),
    ] {
        check("home", &claim, Ok(("1", "here", "TARGETING_MATCH")));
    }
}

#[test]
fn a_value_is_read_as_what_it_is() {
    let set = set();
    let subject = Subject::new(Map::new(), &set, 0);
    let flag = |key| set.evaluate(key, &subject).unwrap();
    assert_eq!(flag("static").boolean(), Ok(Some(true)));
    assert_eq!(flag("none").boolean(), Ok(None));
    assert_eq!(flag("plan").number(), Ok(Some(1.0)));
    assert_eq!(flag("truth").text(), Ok(Some("no".to_owned())));
    let error = flag("static").number().unwrap_err();
    assert_eq!(error.code(), "TYPE_MISMATCH");
    assert_eq!(
        error.to_string(),
        "flag `static`: its value is not a number"
    );
}

/// A set of rules that are slow for one caller does not take longer than one that is as slow as may be.
#[test]
fn all_rules_of_a_subject_share_their_steps() {
    let flag = |number: usize| {
        let slow = json!({"some": [{"var": "list"}, {"some": [{"var": "list"}, {"==": [{"var": ""}, 2]}]}]});
        let flag =
            json!({"state": "ENABLED", "variants": {"true": 1, "false": 2}, "targeting": slow});
        (format!("flag-{number:04}"), flag)
    };
    let flags: Map<String, Json> = (0..120).map(flag).collect();
    let file = FlagFile::read("flags.json", &json!({ "flags": flags }).to_string()).unwrap();
    let environment = Environment {
        name: "dev".to_owned(),
        tier: "development".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    let set = build(&sources, &environment).0;
    let inner = json!({"list": vec![1; 120]});
    let context = json!({"list": vec![inner; 120]});
    let subject = Subject::new(context.as_object().unwrap().clone(), &set, 0);
    let answers: Vec<bool> = set
        .keys()
        .map(|key| set.evaluate(key, &subject).is_ok())
        .collect();
    assert!(answers[0] && !answers[119], "{answers:?}");
}
