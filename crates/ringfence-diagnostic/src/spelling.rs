//! What someone probably meant.

/// The candidate nearest to `typed`, where it is near enough to be worth suggesting.
///
/// Near enough is a Damerau–Levenshtein distance of at most a third of the longer word, upper and lower case counting
/// as the same letter. Of equally near ones, the first wins.
#[must_use]
pub fn closest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let lowered = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&typed, &lowered);
        let longest = typed.chars().count().max(lowered.chars().count());
        let near = distance <= (longest / 3).max(1) && distance < longest;
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["dev", "test", "staging", "production"];
        assert_eq!(closest("prodution", known), Some("production"));
        assert_eq!(closest("STAGIGN", known), Some("staging"));
        assert_eq!(closest("de", known), Some("dev"));
        assert_eq!(closest("kubernetes", known), None);
        assert_eq!(closest("x", ["y"]), None);
    }
}
