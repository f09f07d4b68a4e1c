use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::choose::{Chooser, Fraction, Lowest};
use crate::key::Key;
use crate::rule::TableRule;
use crate::schema::{Column, ForeignKey, Kind, Value};

const INTEGER: Kind = Kind::Integer(64);

/// A table `name` of so many rows with the references `column>parent`, a `?` after those that may be null, and a `!` after those that
/// can be checked later.
fn table(name: &str, rows: u64, references: &[&str]) -> Table {
    let mut table = Table {
        name: name.to_owned(),
        columns: vec![Column::new("id", INTEGER)],
        primary_key: vec!["id".to_owned()],
        rows: Some(rows),
        bytes: Some(rows * 100),
        ..Table::default()
    };
    for text in references {
        let (column, parent) = text.split_once('>').unwrap();
        let name = parent.trim_end_matches(['?', '!']);
        let mut declared = Column::new(column, INTEGER);
        declared.nullable = parent.contains('?');
        table.columns.push(declared);
        table.foreign_keys.push(ForeignKey {
            columns: vec![column.to_owned()],
            parent: name.to_owned(),
            referenced: vec!["id".to_owned()],
            deferrable: parent.contains('!'),
        });
    }
    table
}

/// Rules that keep every column of every table, and choose rows as `table=rows`.
fn rules(tables: &[Table], rows: &[&str]) -> Rules {
    let mut rules = Rules::default();
    for table in tables {
        let columns = table.columns.iter();
        let rule = TableRule {
            columns: columns
                .map(|column| (column.name.clone(), "keep".parse().unwrap()))
                .collect(),
            ..TableRule::default()
        };
        rules.tables.insert(table.name.clone(), rule);
    }
    for text in rows {
        let (name, rows) = text.split_once('=').unwrap();
        rules.tables.get_mut(name).unwrap().rows = rows.parse().unwrap();
    }
    rules
}

fn edit<'a>(rules: &'a mut Rules, table: &str) -> &'a mut TableRule {
    rules.tables.get_mut(table).unwrap()
}

fn shop() -> Vec<Table> {
    vec![
        table("orders", 100_000, &["user_id>users", "coupon_id>coupons?"]),
        table("users", 10_000, &["org_id>orgs", "manager_id>users?"]),
        table("orgs", 100, &["owner_id>users?"]),
        table("coupons", 50, &[]),
        table("sessions", 9000, &["user_id>users"]),
    ]
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.tables
        .iter()
        .map(|table| table.name.as_str())
        .collect()
}

fn treatment(plan: &Plan, name: &str) -> Treatment {
    let edge = plan.edges.iter().find(|edge| edge.name() == name);
    edge.unwrap().treatment.clone()
}

#[test]
fn parents_come_always_and_children_by_declaration() {
    let tables = shop();
    let plan = plan(&tables, &rules(&tables, &["orders=1%"])).unwrap();
    assert_eq!(names(&plan), ["coupons", "orgs", "users", "orders"]);
    assert!(plan.along.is_empty());
    assert_eq!(
        treatment(&plan, "users.manager_id"),
        Treatment::Cut {
            why: Cut::OwnTable,
            columns: vec!["manager_id".to_owned()]
        }
    );
    assert_eq!(treatment(&plan, "orgs.owner_id"), Treatment::Later);
    assert_eq!(
        plan.cycles,
        [Cycle {
            tables: vec!["orgs".to_owned(), "users".to_owned()],
            broken: vec![2],
        }]
    );
    assert_eq!(plan.edges[2].name(), "orgs.owner_id");
}

#[test]
fn children_come_with_a_cap() {
    let tables = shop();
    let mut rules = rules(&tables, &["users=1%"]);
    edit(&mut rules, "orders").along = vec!["users cap 5".parse().unwrap()];
    let plan = plan(&tables, &rules).unwrap();
    assert_eq!(plan.along.len(), 1);
    assert_eq!(plan.edges[plan.along[0]].along, Some(Some(5)));
    let rows: BTreeMap<&str, u64> = plan
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.expected_rows.unwrap()))
        .collect();
    // 100 users, five orders each, and the owners of the organisations of all of them.
    assert_eq!(rows["orders"], 500);
    assert!((170..195).contains(&rows["users"]), "{rows:?}");
    assert!((75..95).contains(&rows["orgs"]), "{rows:?}");
    let bytes = plan.tables.iter().find(|table| table.name == "orders");
    assert_eq!(bytes.unwrap().expected_bytes, Some(50_000));
}

#[test]
fn a_reference_into_its_own_table_says_what_it_would_cost() {
    let tables = shop();
    let mut rules = rules(&tables, &["users=1%"]);
    let cut = plan(&tables, &rules).unwrap();
    let edge = |plan: &Plan| {
        let mut edges = plan.edges.iter();
        edges
            .find(|edge| edge.name() == "users.manager_id")
            .unwrap()
            .clone()
    };
    let factor = edge(&cut).blow_up.unwrap();
    assert!(factor > 5.0, "{factor}");
    edit(&mut rules, "users").follow = vec![vec!["manager_id".to_owned()]];
    let followed = plan(&tables, &rules).unwrap();
    assert_eq!(edge(&followed).treatment, Treatment::Itself);
    let users = |plan: &Plan| {
        plan.tables
            .iter()
            .find(|table| table.name == "users")
            .unwrap()
            .expected_rows
            .unwrap()
    };
    assert!(users(&followed) > 5 * users(&cut));
}

#[test]
fn nothing_is_asked_for_and_nothing_travels() {
    let tables = shop();
    let empty = plan(&tables, &Rules::default()).unwrap();
    assert!(empty.tables.is_empty() && empty.edges.is_empty());
}

fn refuse(tables: &[Table], change: &dyn Fn(&mut Rules), rows: &[&str]) -> String {
    let mut rules = rules(tables, rows);
    change(&mut rules);
    let errors = plan(tables, &rules).unwrap_err();
    errors[0].to_string()
}

#[test]
fn impossible_plans_name_tables_and_columns() {
    let tables = shop();
    let nothing = |_: &mut Rules| {};
    assert_eq!(
        refuse(&tables, &nothing, &["orders=all", "users=none"]),
        "`orders.user_id` must point to `users`, of which no row travels: let rows of `users` travel, or none of `orders`"
    );
    assert_eq!(
        refuse(
            &tables,
            &|rules| {
                rules
                    .tables
                    .insert("ordres".to_owned(), TableRule::default());
            },
            &[]
        ),
        "there is a rule for table `ordres`, which does not exist"
    );
    assert_eq!(
        refuse(
            &tables,
            &|rules| {
                let named = "public.Orders".to_owned();
                rules.tables.insert(named, TableRule::default());
            },
            &[]
        ),
        "there is a rule for table `public.Orders`, which does not exist; `orders` does"
    );
    assert_eq!(
        refuse(
            &tables,
            &|rules| edit(rules, "orders").cut = vec![vec!["user_id".to_owned()]],
            &["orders=all"]
        ),
        "`orders.user_id` is to be cut, but must have a value: follow it, or let no row of `orders` travel"
    );
    assert_eq!(
        refuse(
            &tables,
            &|rules| edit(rules, "orders").follow = vec![vec!["x".to_owned()]],
            &["orders=all"]
        ),
        "`orders` has no reference by `x`, which its rule `follow` names"
    );
    assert_eq!(
        refuse(
            &tables,
            &|rules| edit(rules, "orders").along = vec!["orgs".parse().unwrap()],
            &["orgs=all"]
        ),
        "rows of `orders` come along with `orgs`, to which there is no reference from there"
    );
}

#[test]
fn impossible_ways_along_and_around_are_named() {
    let nothing = |_: &mut Rules| {};
    let twice = [table("a", 1, &["x>b", "y>b"]), table("b", 1, &[])];
    assert_eq!(
        refuse(
            &twice,
            &|rules| edit(rules, "a").along = vec!["b".parse().unwrap()],
            &["b=all"]
        ),
        "rows of `a` come along with `b`, to which there are 2 references: say which by `b by COLUMN`"
    );
    let circle = [table("a", 1, &["x>b"]), table("b", 1, &["y>a"])];
    assert_eq!(
        refuse(&circle, &nothing, &["a=all"]),
        "`a`, `b` point to each other by `a.x`, `b.y`, none of which may be null in a table with a primary key or can be checked later: declare one `DEFERRABLE`, or let no row of one of the tables travel"
    );
    assert_eq!(
        refuse(
            &circle,
            &|rules| {
                edit(rules, "a").along = vec!["b".parse().unwrap()];
                edit(rules, "b").along = vec!["a".parse().unwrap()];
            },
            &["a=all"]
        ),
        "rows of `a`, `b` come along with each other in a circle: leave one of these out"
    );
    let mut keyless = table("a", 1, &[]);
    keyless.primary_key.clear();
    assert_eq!(
        refuse(&[keyless], &nothing, &["a=1%"]),
        "`a` has no primary key to choose rows by: let `all`, `needed` or `none` of them travel, without a cap"
    );
}

#[test]
fn a_circle_breaks_at_one_reference_where_one_is_enough() {
    let tables = [
        table("a", 1, &["b>b", "c>c?"]),
        table("b", 1, &["c>c"]),
        table("c", 1, &["a>a?"]),
    ];
    let made = plan(&tables, &rules(&tables, &["a=all"])).unwrap();
    assert_eq!(treatment(&made, "c.a"), Treatment::Later);
    assert_eq!(treatment(&made, "a.c"), Treatment::Followed);
    assert_eq!(names(&made), ["c", "b", "a"]);
    let tables = [table("a", 1, &["b>b"]), table("b", 1, &["a>a!"])];
    let made = plan(&tables, &rules(&tables, &["a=all"])).unwrap();
    assert_eq!(treatment(&made, "b.a"), Treatment::Deferred);
}

#[test]
fn an_uncovered_reference_is_null_and_brings_nobody() {
    let tables = [table("a", 1, &["b>b?"]), table("b", 1, &[])];
    let mut rules = rules(&tables, &["a=all"]);
    edit(&mut rules, "a").columns.remove("b");
    let made = plan(&tables, &rules).unwrap();
    assert_eq!(names(&made), ["a"]);
    assert!(matches!(
        treatment(&made, "a.b"),
        Treatment::Cut {
            why: Cut::Uncovered,
            ..
        }
    ));
}

#[test]
fn a_thousand_tables_in_a_row_are_no_deeper_than_three() {
    let all: Vec<Table> = (0..1000)
        .map(|at| {
            table(
                &format!("t{at:04}"),
                1,
                &[&format!("p>t{:04}?", (at + 1) % 1000)],
            )
        })
        .collect();
    let made = plan(&all, &rules(&all, &["t0000=all"])).unwrap();
    assert_eq!(made.tables.len(), 1000);
    assert_eq!(made.cycles.len(), 1);
    assert_eq!(made.cycles[0].broken.len(), 1);
}

/// Rows by table and key: the keys pointed to, by column.
type Data = BTreeMap<String, BTreeMap<i64, BTreeMap<String, Option<i64>>>>;

/// Carries a plan out over data, as a store would.
struct Store<'a> {
    data: &'a Data,
    plan: &'a Plan,
    key: Key,
    chosen: BTreeMap<String, BTreeSet<i64>>,
}

impl<'a> Store<'a> {
    fn new(data: &'a Data, plan: &'a Plan) -> Self {
        let chosen = plan
            .tables
            .iter()
            .map(|table| (table.name.clone(), BTreeSet::new()));
        Self {
            data,
            plan,
            key: Key::read(&[5; 32]).unwrap(),
            chosen: chosen.collect(),
        }
    }

    fn rank(&self, table: &str, id: i64) -> u64 {
        Chooser::new(&self.key, table).rank(&[(Value::Integer(id), &INTEGER)])
    }

    fn lowest(&self, table: &str, ids: impl Iterator<Item = i64>, most: Option<u64>) -> Vec<i64> {
        let mut lowest = Lowest::new(most.map_or(usize::MAX, |most| most as usize));
        ids.for_each(|id| lowest.offer(self.rank(table, id), id));
        lowest.into_rows().into_iter().map(|(_, id)| id).collect()
    }

    fn choose(&mut self) {
        for table in &self.plan.tables {
            let ids = self.data[&table.name].keys().copied();
            let found: Vec<i64> = match table.rows {
                Rows::All => ids.collect(),
                Rows::Fraction(fraction) => ids
                    .filter(|id| fraction.holds(self.rank(&table.name, *id)))
                    .collect(),
                Rows::Count(count) => self.lowest(&table.name, ids, Some(count)),
                Rows::Needed | Rows::None => Vec::new(),
            };
            self.chosen.get_mut(&table.name).unwrap().extend(found);
        }
        for at in &self.plan.along {
            let edge = &self.plan.edges[*at];
            for parent in self.chosen[&edge.parent].clone() {
                let children = self.data[&edge.child].iter();
                let ids = children
                    .filter(|(_, row)| row[&edge.columns[0]] == Some(parent))
                    .map(|(id, _)| *id);
                let found = self.lowest(&edge.child, ids, edge.along.unwrap());
                self.chosen.get_mut(&edge.child).unwrap().extend(found);
            }
        }
        loop {
            let mut missing = Vec::new();
            for edge in self.plan.edges.iter().filter(|edge| edge.is_followed()) {
                let pointed = self.chosen[&edge.child]
                    .iter()
                    .filter_map(|id| self.data[&edge.child][id][&edge.columns[0]]);
                missing.extend(
                    pointed
                        .filter(|id| !self.chosen[&edge.parent].contains(id))
                        .map(|id| (edge.parent.clone(), id)),
                );
            }
            if missing.is_empty() {
                return;
            }
            for (table, id) in missing {
                self.chosen.get_mut(&table).unwrap().insert(id);
            }
        }
    }

    /// Loads in the plan's order; gives what is wrong.
    fn load(&self) -> Result<(), String> {
        let mut loaded: BTreeSet<&str> = BTreeSet::new();
        for table in &self.plan.tables {
            for edge in self
                .plan
                .edges
                .iter()
                .filter(|edge| edge.child == table.name)
            {
                let early =
                    edge.treatment == Treatment::Followed && !loaded.contains(edge.parent.as_str());
                if early && !self.chosen[&edge.child].is_empty() {
                    return Err(format!("{} comes before {}", edge.child, edge.parent));
                }
                for id in &self.chosen[&edge.child] {
                    let target = match edge.is_followed() {
                        true => self.data[&edge.child][id][&edge.columns[0]],
                        false => None,
                    };
                    if target.is_some_and(|target| !self.chosen[&edge.parent].contains(&target)) {
                        return Err(format!("{} of {id} points nowhere", edge.name()));
                    }
                }
                if let Treatment::Cut { columns, .. } = &edge.treatment {
                    assert_eq!(columns.len(), 1);
                }
            }
            loaded.insert(&table.name);
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct World {
    tables: Vec<Table>,
    data: Data,
    rows: Vec<(usize, u8)>,
    along: Vec<(usize, u8)>,
    follow: bool,
}

fn world() -> impl Strategy<Value = World> {
    let edges = prop::collection::vec((0..6_usize, 0..6_usize, 0..4_u8), 0..10);
    let rows = prop::collection::vec((0..6_usize, 0..4_u8), 1..4);
    let along = prop::collection::vec((0..10_usize, 0..4_u8), 0..3);
    (edges, rows, along, any::<bool>(), any::<u64>()).prop_map(
        |(edges, rows, along, follow, seed)| {
            let suffix = ["", "?", "!", "?!"];
            let tables: Vec<Table> = (0..6)
                .map(|at| {
                    let own: Vec<String> = edges
                        .iter()
                        .enumerate()
                        .filter(|(_, (child, _, _))| *child == at)
                        .map(|(number, (_, parent, form))| {
                            format!("c{number}>t{parent}{}", suffix[*form as usize])
                        })
                        .collect();
                    let own: Vec<&str> = own.iter().map(String::as_str).collect();
                    table(&format!("t{at}"), 40, &own)
                })
                .collect();
            let mut state = seed | 1;
            let mut next = move |end: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % end
            };
            let data = tables
                .iter()
                .map(|table| {
                    let rows = (0..40).map(|id| {
                        let keys = table.foreign_keys.iter().map(|key| {
                            let null = table.is_nullable(key) && next(3) == 0;
                            (key.columns[0].clone(), (!null).then(|| next(40) as i64))
                        });
                        (id, keys.collect())
                    });
                    (table.name.clone(), rows.collect())
                })
                .collect();
            World {
                tables,
                data,
                rows,
                along,
                follow,
            }
        },
    )
}

impl World {
    fn rules(&self, fraction: &str) -> Rules {
        let mut rules = rules(&self.tables, &[]);
        for (table, form) in &self.rows {
            let rows = ["all", fraction, fraction, "5 rows"][*form as usize];
            edit(&mut rules, &format!("t{table}")).rows = rows.parse().unwrap();
        }
        for (number, cap) in &self.along {
            let column = format!("c{number}");
            for table in &self.tables {
                for key in table
                    .foreign_keys
                    .iter()
                    .filter(|key| key.columns[0] == column && key.parent != table.name)
                {
                    let cap = if *cap == 0 {
                        String::new()
                    } else {
                        format!(" cap {cap}")
                    };
                    let along = format!("{} by {column}{cap}", key.parent);
                    edit(&mut rules, &table.name)
                        .along
                        .push(along.parse().unwrap());
                }
            }
        }
        if self.follow {
            for table in &self.tables {
                let own = table
                    .foreign_keys
                    .iter()
                    .filter(|key| key.parent == table.name);
                edit(&mut rules, &table.name).follow = own.map(|key| key.columns.clone()).collect();
            }
        }
        rules
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_reference_dangles_in_any_schema_with_any_data(world in world()) {
        let rules = world.rules("10%");
        match plan(&world.tables, &rules) {
            Ok(plan) => {
                let mut store = Store::new(&world.data, &plan);
                store.choose();
                prop_assert_eq!(store.load(), Ok(()));
                let mut backwards = world.tables.clone();
                backwards.reverse();
                prop_assert_eq!(super::plan(&backwards, &rules), Ok(plan.clone()));
                for table in &plan.tables {
                    prop_assert!(table.expected_rows.unwrap() <= 40);
                }
            }
            Err(errors) => for error in errors {
                let expected = matches!(error, PlanError::Cycle { .. } | PlanError::AlongCycle { .. });
                prop_assert!(expected, "{}", error);
            },
        }
    }

    #[test]
    fn a_smaller_sample_is_inside_a_larger_one(world in world(), a in 0.0_f64..0.5, b in 0.0_f64..0.5) {
        let sample = |fraction: f64| {
            let fraction = Fraction::of(fraction).unwrap();
            let mut rules = world.rules("10%");
            for rule in rules.tables.values_mut() {
                if matches!(rule.rows, Rows::Fraction(_)) {
                    rule.rows = Rows::Fraction(fraction);
                }
            }
            plan(&world.tables, &rules).ok().map(|plan| {
                let mut store = Store::new(&world.data, &plan);
                store.choose();
                store.chosen.clone()
            })
        };
        if let (Some(small), Some(large)) = (sample(a.min(b)), sample(a.max(b))) {
            for (table, ids) in small {
                prop_assert!(ids.is_subset(&large[&table]), "{}", table);
            }
        }
    }
}

/// Two tables that link to each other, one of them in two ways by the same column.
#[test]
fn a_link_beside_a_reference_changes_nothing_of_what_comes_along() {
    let mut comments = table("comments", 1000, &["author>users"]);
    comments.columns.push(Column::new("kind", Kind::TEXT));
    comments.columns.push(Column::new("subject", INTEGER));
    let tables = [comments, table("users", 100, &[])];
    let mut made = rules(&tables, &["users=10%"]);
    edit(&mut made, "comments").along = vec!["users".parse().unwrap()];
    let link = "subject to users when kind is User";
    edit(&mut made, "comments").links = vec![link.parse().unwrap()];
    let along = |made: &Rules| {
        let planned = plan(&tables, made).unwrap();
        let edges = planned.along.iter().map(|place| &planned.edges[*place]);
        edges.map(|edge| edge.columns.join("+")).collect::<Vec<_>>()
    };
    assert_eq!(along(&made), ["author"]);
    edit(&mut made, "comments").along = vec!["users by subject".parse().unwrap()];
    assert_eq!(along(&made), ["subject"]);
}

#[test]
fn links_are_followed_without_an_order() {
    let mut posts = table("posts", 100, &[]);
    posts.columns.push(Column::new("best", INTEGER).nullable());
    let mut comments = table("comments", 1000, &[]);
    comments.columns.push(Column::new("kind", Kind::TEXT));
    comments.columns.push(Column::new("subject", INTEGER));
    let tables = [posts, comments, table("users", 100, &[])];
    let mut made = rules(&tables, &["comments=10%"]);
    let links = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    edit(&mut made, "posts").links = links(&["best to comments"]);
    edit(&mut made, "comments").links = links(&[
        "subject to posts when kind is Post",
        "subject to users when kind is User",
    ]);
    let planned = plan(&tables, &made).unwrap();
    assert_eq!(names(&planned), ["comments", "posts", "users"]);
    assert_eq!(planned.cycles, []);
    assert!(
        planned
            .edges
            .iter()
            .all(|edge| edge.is_followed() && edge.is_link())
    );
    // Rows are divided among the ways, so that neither brings as many as all of them would.
    let rows = |name: &str| {
        let mut tables = planned.tables.iter();
        tables
            .find(|table| table.name == name)
            .unwrap()
            .expected_rows
    };
    assert!(rows("users").unwrap() < 50, "{:?}", rows("users"));

    // What stays behind is cut: a link that must have a value as well, and the store does not mind.
    edit(&mut made, "users").rows = Rows::None;
    let planned = plan(&tables, &made).unwrap();
    assert_eq!(names(&planned), ["comments", "posts"]);
    let cut: Vec<&Edge> = planned
        .edges
        .iter()
        .filter(|edge| !edge.is_followed())
        .collect();
    assert_eq!(cut.len(), 1);
    assert!(matches!(
        &cut[0].treatment,
        Treatment::Cut { why: Cut::NoParent, columns } if columns.is_empty()
    ));
    // Rows of both come along by the one that is meant.
    edit(&mut made, "comments").along = vec!["posts by subject cap 2".parse().unwrap()];
    edit(&mut made, "comments").rows = Rows::Needed;
    edit(&mut made, "posts").rows = Rows::All;
    let planned = plan(&tables, &made).unwrap();
    let along: Vec<&Edge> = planned.along.iter().map(|at| &planned.edges[*at]).collect();
    assert_eq!(along.len(), 1);
    assert_eq!(along[0].parent, "posts");
    // Without the word that says which table is meant, nobody could follow it below.
    edit(&mut made, "comments").columns.remove("kind");
    edit(&mut made, "posts").columns.remove("best");
    edit(&mut made, "comments").along.clear();
    let planned = plan(&tables, &made).unwrap();
    let best = planned
        .edges
        .iter()
        .find(|edge| edge.child == "posts")
        .unwrap();
    assert!(matches!(
        best.treatment,
        Treatment::Cut {
            why: Cut::Uncovered,
            ..
        }
    ));
}
