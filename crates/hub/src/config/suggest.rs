//! Guesses which of the known words somebody meant.

/// The candidate nearest to `text`, if one is near enough to be what was meant: at most one edit for
/// each three characters. An edit is a character more, less or other, or two neighbours swapped.
pub(super) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = text.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != text)
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (Damerau 1964), in characters, without regard to ASCII case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let words = ["purpose", "owner", "backup", "connector", "endpoint", "scope"];
        let check = |text, expect| assert_eq!(nearest(text, words), expect, "{text}");
        check("onwer", Some("owner"));
        check("Owners", Some("owner"));
        check("conector", Some("connector"));
        check("endpiont", Some("endpoint"));
        check("Owner", Some("owner"));
        check("owner", None);
        check("budget", None);
        check("x", None);
        check("", None);
    }
}
