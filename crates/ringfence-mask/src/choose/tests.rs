use super::*;
use proptest::prelude::*;

fn chooser(table: &str) -> Chooser {
    Chooser::new(&Key::read(&[3; 32]).unwrap(), table)
}

fn rank(chooser: &Chooser, id: i64) -> u64 {
    chooser.rank(&[(Value::Integer(id), &Kind::Integer(64))])
}

#[test]
fn fractions_are_read_or_refused() {
    assert_eq!(Fraction::read("1%"), Fraction::read("0.01"));
    assert_eq!(Fraction::read("1"), Ok(Fraction::ALL));
    assert_eq!(Fraction::read("0"), Ok(Fraction::NONE));
    assert_eq!(Fraction::read("0.5").unwrap().threshold(), 1 << 63);
    for wrong in ["", "1.1", "-0.1", "101%", "NaN", "inf", "half"] {
        let error = Fraction::read(wrong).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected a number between 0 and 1")
        );
    }
}

#[test]
fn everything_and_nothing_are_exact() {
    assert!(Fraction::ALL.holds(u64::MAX) && Fraction::ALL.holds(0));
    assert!(!Fraction::NONE.holds(0));
}

#[test]
fn a_sample_has_its_size() {
    let (chooser, fraction) = (chooser("users"), Fraction::read("0.01").unwrap());
    let chosen = (0..200_000)
        .filter(|id| fraction.holds(rank(&chooser, *id)))
        .count();
    let (low, high) = fraction.expected(200_000);
    assert_eq!((low, high), (1777, 2223));
    assert!((low..=high).contains(&(chosen as u64)), "{chosen}");
}

#[test]
fn tables_have_nothing_to_do_with_each_other() {
    let (users, orders) = (chooser("users"), chooser("orders"));
    assert_ne!(rank(&users, 1), rank(&orders, 1));
}

proptest! {
    #[test]
    fn a_smaller_sample_is_inside_a_larger_one(id in any::<i64>(), a in 0.0_f64..=1.0, b in 0.0_f64..=1.0) {
        let rank = rank(&chooser("t"), id);
        let (small, large) = (Fraction::of(a.min(b)).unwrap(), Fraction::of(a.max(b)).unwrap());
        prop_assert!(!small.holds(rank) || large.holds(rank));
    }

    #[test]
    fn the_lowest_rows_are_nested_and_in_any_order_the_same(ids in prop::collection::btree_set(any::<i64>(), 0..60), most in 0_usize..20) {
        let chooser = chooser("t");
        let kept = |order: &[i64], most| {
            let mut lowest = Lowest::new(most);
            for id in order {
                lowest.offer(rank(&chooser, *id), *id);
            }
            lowest.into_rows()
        };
        let forward: Vec<i64> = ids.iter().copied().collect();
        let backward: Vec<i64> = ids.iter().rev().copied().collect();
        let (one, more) = (kept(&forward, most), kept(&backward, most + 1));
        prop_assert_eq!(&kept(&backward, most), &one);
        prop_assert_eq!(one.len(), most.min(ids.len()));
        prop_assert!(more.starts_with(&one));
    }

    #[test]
    fn both_stores_choose_the_same_rows(id in any::<i64>(), text in ".{0,12}") {
        let chooser = chooser("t");
        let sqlite = chooser.rank(&[(Value::Integer(id), &Kind::Integer(32)), (Value::Text(&text), &Kind::TEXT)]);
        let postgres = chooser.rank(&[(Value::Text(&id.to_string()), &Kind::Integer(64)), (Value::Text(&text), &Kind::Text { limit: Some(40), folded: false })]);
        prop_assert_eq!(sqlite, postgres);
    }
}
