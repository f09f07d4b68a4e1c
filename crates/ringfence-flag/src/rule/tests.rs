use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// What a rule says of a context, as JSON.
fn ask(rule: &Json, context: &Json) -> Result<String, String> {
    let rule = Rule::compile(rule, &BTreeMap::new()).map_err(|error| error.to_string())?;
    let fields = context.as_object().cloned().unwrap_or_default();
    let question = Question {
        fields: &fields,
        flag: "new-page",
        at: 1_700_000_000,
        steps: &Cell::new(usize::MAX),
    };
    let value = rule.apply(&question).map_err(|error| error.to_string())?;
    Ok(shown(&value))
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(_) | Value::Made(_) => Json::from(value.as_text().unwrap()).to_string(),
        Value::List(_) | Value::Items(_) => {
            let items: Vec<String> = value.each().unwrap().map(|item| shown(&item)).collect();
            format!("[{}]", items.join(","))
        }
        value => value.spelled().into_owned(),
    }
}

#[track_caller]
fn check(rule: &Json, expected: &str) {
    let context = json!({
        "targetingKey": "ana", "plan": "pro", "age": 17, "big": 12_345_678_901_234_567_890_u64,
        "user": {"name": "Ana", "teams": ["ops", "web"]}, "empty": "", "nothing": null, "list": [1, 2, 3, 4],
        "people": [{"n": "a", "q": 1}, {"n": "b", "q": 2}],
    });
    assert_eq!(ask(rule, &context).unwrap(), expected, "{rule}");
}

#[test]
fn variables() {
    check(&json!({"var": "plan"}), "\"pro\"");
    check(&json!({"var": ["user.name"]}), "\"Ana\"");
    check(&json!({"var": "user.teams.1"}), "\"web\"");
    check(&json!({"var": "user.teams.length"}), "2");
    check(&json!({"var": "user.teams.01"}), "null");
    check(&json!({"var": "user.missing.more"}), "null");
    check(&json!({"var": ["nobody", "else"]}), "\"else\"");
    check(&json!({"var": ["nobody", {"var": "plan"}]}), "\"pro\"");
    check(&json!({"var": ["nothing", "else"]}), "null");
    check(&json!({"var": {"cat": ["user", ".", "name"]}}), "\"Ana\"");
    check(&json!({"var": "$flagd.flagKey"}), "\"new-page\"");
    check(&json!({"var": "$flagd.timestamp"}), "1700000000");
    check(&json!({"var": "$flagd.other"}), "null");
    check(&json!({"var": "big"}), "12345678901234567890");
    check(
        &json!({"missing": ["plan", "x", "empty", "nothing"]}),
        "[\"x\",\"empty\",\"nothing\"]",
    );
    check(&json!({"missing": {"merge": ["plan", ["x"]]}}), "[\"x\"]");
    check(&json!({"missing_some": [1, ["plan", "x"]]}), "[]");
    check(&json!({"missing_some": [2, ["plan", "x"]]}), "[\"x\"]");
}

#[test]
fn logic() {
    check(&json!({"if": [false, "a", true, "b", "c"]}), "\"b\"");
    check(&json!({"if": [false, "a", 0, "b", "c"]}), "\"c\"");
    check(&json!({"if": [false, "a"]}), "null");
    check(&json!({"?:": [[], "a", "b"]}), "\"b\"");
    check(&json!({"if": [{"var": "user"}, "a", "b"]}), "\"a\"");
    check(&json!({"and": [1, "", 3]}), "\"\"");
    check(&json!({"or": [0, "x", 3]}), "\"x\"");
    check(&json!({"!": [[]]}), "true");
    check(&json!({"!": "0"}), "false");
    check(&json!({"!!": ["0"]}), "true");
    check(&json!({"a": 1, "b": 2}), "[object Object]");
    check(&json!([{"var": "plan"}, 1]), "[\"pro\",1]");
}

#[test]
fn comparisons_as_javascript_has_them() {
    check(&json!({"==": [1, "1"]}), "true");
    check(&json!({"===": [1, "1"]}), "false");
    check(&json!({"===": [1, 1.0]}), "true");
    check(&json!({"==": [0, ""]}), "true");
    check(&json!({"==": [null, 0]}), "false");
    check(&json!({"==": [null, {"var": "x"}]}), "true");
    check(&json!({"==": [true, "1"]}), "true");
    check(&json!({"==": [[1], 1]}), "true");
    check(&json!({"==": [[1], [1]]}), "false");
    check(&json!({"!=": ["a", "b"]}), "true");
    check(&json!({"!==": ["a", "a"]}), "false");
    check(&json!({"<": [{"var": "age"}, 18]}), "true");
    check(&json!({"<": [1, {"var": "age"}, 18]}), "true");
    check(&json!({"<=": [1, 1, 0]}), "false");
    check(&json!({">": ["10", 9]}), "true");
    check(&json!({">": ["10", "9"]}), "false");
    check(&json!({">=": ["a", 1]}), "false");
    check(
        &json!({"<": [{"var": "big"}, 12_345_678_901_234_567_891_u64]}),
        "true",
    );
}

#[test]
fn arithmetic_and_texts() {
    check(&json!({"+": ["1.5", 2, true]}), "4.5");
    check(&json!({"-": [3]}), "-3");
    check(&json!({"-": [3, "1"]}), "2");
    check(&json!({"*": [2, 3, 4]}), "24");
    check(&json!({"/": [1, 4]}), "0.25");
    check(&json!({"%": [-5, 3]}), "-2");
    check(&json!({"max": [1, "7", 3]}), "7");
    check(&json!({"min": []}), "Infinity");
    check(
        &json!({"cat": ["a", null, 1.0, [1, null, "x"], true]}),
        "\"a11,,xtrue\"",
    );
    check(
        &json!({"cat": [1e21, " ", 1.5e-7, " ", 0.1]}),
        "\"1e+21 1.5e-7 0.1\"",
    );
    check(&json!({"substr": ["jsonlogic", 4]}), "\"logic\"");
    check(&json!({"substr": ["jsonlogic", -5, 2]}), "\"lo\"");
    check(&json!({"substr": ["jsonlogic", 0, -5]}), "\"json\"");
    check(&json!({"substr": ["äöü", 1, 1]}), "\"ö\"");
    check(&json!({"in": ["ops", {"var": "user.teams"}]}), "true");
    check(&json!({"in": ["n", {"var": "user.name"}]}), "true");
    check(&json!({"in": ["1", [1]]}), "false");
    check(&json!({"in": ["x", null]}), "false");
}

#[test]
fn lists() {
    check(
        &json!({"map": [{"var": "list"}, {"*": [{"var": ""}, 2]}]}),
        "[2,4,6,8]",
    );
    check(
        &json!({"filter": [{"var": "list"}, {"%": [{"var": ""}, 2]}]}),
        "[1,3]",
    );
    let sum = json!({"+": [{"var": "current.q"}, {"var": "accumulator"}]});
    check(&json!({"reduce": [{"var": "people"}, sum, 10]}), "13");
    check(&json!({"reduce": [null, sum, 10]}), "10");
    check(
        &json!({"all": [{"var": "list"}, {">": [{"var": ""}, 0]}]}),
        "true",
    );
    check(&json!({"all": [[], true]}), "false");
    check(
        &json!({"some": [{"var": "people"}, {"==": [{"var": "n"}, "b"]}]}),
        "true",
    );
    check(&json!({"none": [[], true]}), "true");
    check(&json!({"merge": [1, [2, [3]]]}), "[1,2,[3]]");
    check(&json!({"map": [1, 2]}), "[]");
}

#[test]
fn operators_of_flagd() {
    check(&json!({"starts_with": [{"var": "plan"}, "pr"]}), "true");
    check(&json!({"ends_with": [{"var": "plan"}, "pr"]}), "false");
    check(&json!({"starts_with": [{"var": "age"}, "1"]}), "null");
    check(&json!({"ends_with": ["x"]}), "null");
    for (one, operator, two, expected) in [
        ("1.0.0", "=", "v1", "true"),
        ("1.2.3", "^", "1.9", "true"),
        ("1.2.3", "~", "1.3.0", "false"),
        ("1.0.0-rc.1", "<", "1.0.0", "true"),
        ("1.0.0+a", "=", "1.0.0+b", "true"),
        ("1.0.0+a", "!=", "1.0.0+b", "false"),
        ("1-rc.1", "<", "1.0.0", "true"),
        ("2.0.0", ">=", "2.0.0", "true"),
        ("1.0.0.0", "=", "1.0.0", "null"),
        ("one", "=", "1.0.0", "null"),
        ("1.0.0", "==", "1.0.0", "null"),
    ] {
        check(&json!({"sem_ver": [one, operator, two]}), expected);
    }
    check(&json!({"sem_ver": [1.2, ">", "1.1"]}), "true");
    check(&json!({"sem_ver": [1, "="]}), "null");
}

#[test]
fn fractional_takes_what_can_be_hashed_and_weighed() {
    check(&json!({"fractional": [["only"]]}), "\"only\"");
    check(
        &json!({"fractional": [{"var": "plan"}, ["a", 0], ["b", 1]]}),
        "\"b\"",
    );
    check(
        &json!({"fractional": [{"var": "plan"}, ["a", -5], ["b", 1.0]]}),
        "\"b\"",
    );
    check(&json!({"fractional": [{"var": "user"}, ["a", 1]]}), "\"a\"");
    for wrong in [
        json!([]),
        json!([{"var": "nobody"}, ["a", 1]]),
        json!([{"var": "plan"}]),
        json!([{"var": "plan"}, "a"]),
        json!([{"var": "plan"}, ["a", 0]]),
        json!([{"var": "plan"}, ["a", 1.5]]),
        json!([{"var": "plan"}, ["a", true]]),
        json!([{"var": "plan"}, ["a", 1, 2]]),
        json!([{"var": "plan"}, [["a"], 1]]),
        json!([{"var": "plan"}, ["a", 2_147_483_647], ["b", 1]]),
        json!([{"var": "plan"}, ["a", 1e300]]),
    ] {
        check(&json!({"fractional": wrong}), "null");
    }
    assert_eq!(
        ask(&json!({"fractional": [["a", 1]]}), &json!({})).unwrap(),
        "null"
    );
    assert_eq!(
        ask(
            &json!({"fractional": [["a", 1]]}),
            &json!({"targetingKey": ""})
        )
        .unwrap(),
        "null"
    );
}

/// Buckets fill by their weights, and a larger last bucket moves nobody out of the first.
#[test]
fn fractional_is_even_and_stable() {
    let bucket = |key: usize, weights: [u32; 2]| {
        let [a, b] = weights;
        let rule = json!({"fractional": [{"var": "k"}, ["a", a], ["b", b]]});
        ask(&rule, &json!({"k": format!("user-{key}")})).unwrap()
    };
    let count = (0..10_000)
        .filter(|key| bucket(*key, [25, 75]) == "\"a\"")
        .count();
    assert!(
        (2300..2700).contains(&count),
        "{count} of 10000 for a quarter"
    );
    for key in 0..2_000 {
        let before = bucket(key, [25, 75]);
        let after = bucket(key, [30, 70]);
        assert!(
            before != "\"a\"" || after == "\"a\"",
            "{key} left the growing bucket"
        );
    }
}

#[test]
fn what_no_rule_may_be_is_said_with_its_place() {
    let check = |rule: Json, expected: &str, pointer: &str| {
        let evaluators = BTreeMap::from([
            (
                "is_staff".to_owned(),
                json!({"ends_with": [{"var": "email"}, "@example.com"]}),
            ),
            ("round".to_owned(), json!({"!": {"$ref": "round"}})),
        ]);
        let error = Rule::compile(&rule, &evaluators).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.pointer()),
            (expected, pointer)
        );
    };
    check(
        json!({"if": [{"fractionl": ["a"]}, "b"]}),
        "unknown operator `fractionl`: did you mean `fractional`?",
        "/if/0/fractionl",
    );
    check(json!({"log": "x"}), "unknown operator `log`", "/log");
    check(
        json!({"!": {"$ref": "is_stuff"}}),
        "`$ref` names the evaluator `is_stuff`, which `$evaluators` does not have: did you mean `is_staff`?",
        "/!/$ref",
    );
    let round = Rule::compile(
        &json!({"$ref": "round"}),
        &BTreeMap::from([("round".to_owned(), json!({"!": {"$ref": "round"}}))]),
    );
    assert!(matches!(round, Err(RuleError::Deep { .. })), "{round:?}");
}

/// Rules that take all of a machine elsewhere.
#[test]
fn hostile_rules_end() {
    let many: Vec<u32> = (0..1000).collect();
    let mut maps = json!({"var": ""});
    for _ in 0..20 {
        maps = json!({"map": [(0..100).collect::<Vec<_>>(), maps]});
    }
    let steps = ApplyError::Steps.to_string();
    assert_eq!(ask(&maps, &json!({})), Err(steps.clone()));
    let double = |operator: &str, start: Json| {
        let accumulator = json!({"var": "accumulator"});
        json!({"reduce": [many, {operator: [accumulator, accumulator]}, start]})
    };
    assert_eq!(
        ask(&double("merge", json!([1])), &json!({})),
        Err(steps.clone())
    );
    assert_eq!(
        ask(&double("cat", json!("x".repeat(64))), &json!({})),
        Err(steps.clone())
    );
    let nest = json!({"reduce": [many, [{"var": "accumulator"}], null]});
    assert_eq!(ask(&nest, &json!({})), Err(ApplyError::Nesting.to_string()));
    let nest = json!({"reduce": [many, {"var": ""}, null]});
    assert_eq!(ask(&nest, &json!({})), Err(ApplyError::Nesting.to_string()));
    let wide = json!({"reduce": [many, [{"var": "accumulator"}, {"var": "accumulator"}], null]});
    assert!(ask(&json!({"cat": wide}), &json!({})).is_err());
    let shared: Vec<u32> = (0..40).collect();
    let shared = json!({"reduce": [shared, [{"var": "accumulator"}, {"var": "accumulator"}], 1]});
    for operator in [
        "cat",
        "==",
        "in",
        "fractional",
        "sem_ver",
        "merge",
        "+",
        "substr",
        "var",
        "missing",
    ] {
        let rule = json!({operator: [shared, shared, 1]});
        assert_eq!(ask(&rule, &json!({})), Err(steps.clone()), "{operator}");
    }
}

#[test]
fn what_is_too_deep_or_too_large_is_refused() {
    let mut deep = json!(true);
    for _ in 0..120 {
        deep = json!({"!": deep});
    }
    assert!(ask(&deep, &json!({})).unwrap_err().contains("deeper"));
    let wide = json!({"merge": vec![1; MAX_NODES]});
    assert!(ask(&wide, &json!({})).unwrap_err().contains("more than"));
    // Evaluators that refer to each other twice each double with each level.
    let evaluators = (0..30)
        .map(|level| {
            let next = json!({"$ref": format!("e{}", level + 1)});
            (format!("e{level}"), json!({"and": [next, next]}))
        })
        .chain([("e30".to_owned(), json!(true))])
        .collect();
    let laughs = Rule::compile(&json!({"$ref": "e0"}), &evaluators);
    assert!(matches!(laughs, Err(RuleError::Large { .. })), "{laughs:?}");
}

/// Any JSON, with operators among the keys.
fn json_of_rules() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        8 => proptest::sample::select(OPERATORS).prop_map(|(name, _)| name.to_owned()),
        1 => "[a-z$.]{0,6}",
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        (-4_i64..4).prop_map(Json::from),
        "\\PC{0,6}".prop_map(Json::from),
        proptest::sample::select(vec![
            "plan",
            "list",
            "current",
            "accumulator",
            "user.name",
            "1.2",
            "="
        ])
        .prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 64, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            (name.clone(), proptest::collection::vec(inner.clone(), 0..4))
                .prop_map(|(name, arguments)| json!({name: arguments})),
            (name.clone(), inner.clone()).prop_map(|(name, argument)| json!({name: argument})),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever stands in a file or a context, there is an answer or an error, and the same one each time.
    #[test]
    fn any_rule_ends_the_same_way(rule in json_of_rules(), context in json_of_rules()) {
        let context = json!({"list": [context, 1, "a"], "plan": context, "targetingKey": "k"});
        prop_assert_eq!(ask(&rule, &context), ask(&rule, &context));
    }

    /// A value and its fallen-into bucket do not depend on how a whole number is written.
    #[test]
    fn buckets_do_not_know_how_a_number_is_written(number in -9_007_199_254_740_991_i64..9_007_199_254_740_991) {
        let rule = json!({"fractional": [{"var": "k"}, ["a", 1], ["b", 1], ["c", 1], ["d", 1]]});
        #[expect(clippy::cast_precision_loss, reason = "the range has none")]
        let float = json!({"k": number as f64});
        prop_assert_eq!(ask(&rule, &json!({"k": number})), ask(&rule, &float));
    }
}
