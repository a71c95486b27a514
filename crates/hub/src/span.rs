//! Spans of time as people write and read them: `500ms`, `30d`; `1.2s`, `3h 20m`.

/// A day, milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// `500ms`, `3s`, `2m`, `1h`, `7d` in milliseconds.
pub fn read(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// Milliseconds in at most two units, the last one rounded down.
pub fn show(ms: i64) -> String {
    let two = |large: i64, l: &str, small: i64, s: &str| match (ms % large) / small {
        0 => format!("{}{l}", ms / large),
        rest => format!("{}{l} {rest}{s}", ms / large),
    };
    if ms < 1_000 {
        format!("{}ms", ms.max(0))
    } else if ms < 10_000 && ms % 1_000 >= 100 {
        format!("{}.{}s", ms / 1_000, ms % 1_000 / 100)
    } else if ms < 60_000 {
        format!("{}s", ms / 1_000)
    } else if ms < 3_600_000 {
        two(60_000, "m", 1_000, "s")
    } else if ms < DAY_MS {
        two(3_600_000, "h", 60_000, "m")
    } else {
        two(DAY_MS, "d", 3_600_000, "h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        let check = |text, expect| assert_eq!(read(text), expect, "{text}");
        check("500ms", Some(500));
        check("3s", Some(3_000));
        check("2m", Some(120_000));
        check("25h", Some(90_000_000));
        check("30d", Some(2_592_000_000));
        check("3", None);
        check("s", None);
        check("-3s", None);
        check("3 s", None);
        check("9223372036854775807m", None);
    }

    #[test]
    fn spans_are_shown_in_two_units_at_most() {
        let check = |ms, expect: &str| assert_eq!(show(ms), expect, "{ms}");
        check(0, "0ms");
        check(999, "999ms");
        check(1_000, "1s");
        check(1_250, "1.2s");
        check(9_999, "9.9s");
        check(12_900, "12s");
        check(60_000, "1m");
        check(200_999, "3m 20s");
        check(3_600_000, "1h");
        check(5_400_000, "1h 30m");
        check(86_400_000, "1d");
        check(90_060_000, "1d 1h");
    }
}
