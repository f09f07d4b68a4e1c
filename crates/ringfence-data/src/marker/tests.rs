use super::*;

fn marked(environment: &str) -> Found {
    let marker = Marker {
        project: "shop".into(),
        environment: environment.into(),
        tier: "production".into(),
        mark: "0123456789abcdef".into(),
        cluster: "7".into(),
        database: "16384".into(),
        address: "db:5432/app".into(),
        ..Marker::default()
    };
    Found {
        place: Place::Says {
            mark: marker.mark.clone(),
            environment: environment.into(),
        },
        cluster: "7".into(),
        database: "16384".into(),
        address: "db:5432/app".into(),
        marker: Some(marker),
    }
}

fn check(change: impl Fn(&mut Found), expected: State) {
    let mut found = marked("prod");
    change(&mut found);
    assert_eq!(found.state(), expected);
}

#[test]
fn the_two_marks_tell_original_from_copy() {
    check(|_| {}, State::Original);
    check(
        |found| found.address = "localhost:6543/app".into(),
        State::Moved,
    );
    check(
        |found| found.place = Place::Absent,
        State::Copy(Sign::NoPlaceMark),
    );
    check(
        |found| found.cluster = "8".into(),
        State::Copy(Sign::OtherCluster),
    );
    check(
        |found| found.database = "16385".into(),
        State::Copy(Sign::OtherDatabase),
    );
    check(|found| found.marker = None, State::Emptied);
    check(
        |found| {
            found.marker = None;
            found.place = Place::Absent;
        },
        State::Unmarked,
    );
    let other = Place::Says {
        mark: "fedc".into(),
        environment: String::new(),
    };
    check(
        |found| found.place = other.clone(),
        State::Copy(Sign::OtherPlaceMark),
    );
    let nothing = Place::Says {
        mark: String::new(),
        environment: String::new(),
    };
    check(
        |found| found.place = nothing.clone(),
        State::Copy(Sign::OtherPlaceMark),
    );
}

#[test]
fn several_addresses_may_be_its_own() {
    let mut found = marked("prod");
    let marker = found.marker.as_mut().unwrap();
    marker.address = marker.known_at("localhost:6543/app");
    marker.address = marker.known_at("localhost:6543/app");
    assert_eq!(marker.address, "db:5432/app\nlocalhost:6543/app");
    assert_eq!(found.state(), State::Original);
    found.address = "localhost:6543/app".into();
    assert_eq!(found.state(), State::Original);
    found.address = "localhost:6543/ap".into();
    assert_eq!(found.state(), State::Moved);
}

#[test]
fn what_is_anothers_never_starts() {
    let found = marked("prod");
    for tier in [
        Strictness::Lower,
        Strictness::Staging,
        Strictness::Production,
    ] {
        let verdict = found.verdict("shop", "test");
        assert_eq!(decide(&verdict, tier, true), Decision::Refuse);
        let verdict = found.verdict("another", "prod");
        assert_eq!(decide(&verdict, tier, true), Decision::Refuse);
    }
    assert_eq!(found.verdict("shop", "prod"), Verdict::Own);
}

#[test]
fn a_copy_starts_in_quarantine_once_it_was_scrubbed_for_here() {
    let mut found = marked("prod");
    found.place = Place::Absent;
    let decided = |found: &Found, environment: &str| {
        decide(
            &found.verdict("shop", environment),
            Strictness::Staging,
            false,
        )
    };
    assert_eq!(decided(&found, "staging"), Decision::Refuse);
    found.marker.as_mut().unwrap().scrubbed = "staging".into();
    assert_eq!(decided(&found, "staging"), Decision::Quarantine);
    assert_eq!(decided(&found, "test"), Decision::Refuse);
}

#[test]
fn the_unmarked_is_refused_in_production_unless_declared() {
    let verdict = Found::default().verdict("shop", "prod");
    assert_eq!(verdict, Verdict::Unmarked);
    assert_eq!(
        decide(&verdict, Strictness::Production, false),
        Decision::Refuse
    );
    assert_eq!(
        decide(&verdict, Strictness::Production, true),
        Decision::Start
    );
    assert_eq!(decide(&verdict, Strictness::Staging, false), Decision::Note);
    assert_eq!(decide(&verdict, Strictness::Lower, false), Decision::Note);
}
