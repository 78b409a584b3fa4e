//! The log: one line per event, in the form of redis-server's.

/// Writes a line to standard output.
pub fn line(text: impl std::fmt::Display) {
    let (now_ms, _) = runtime::clock::now();
    println!("{} * {} {text}", std::process::id(), stamp(now_ms));
}

/// Date and time (UTC) of a unix time in ms, as `21 Nov 2026 07:40:22.123`.
fn stamp(now_ms: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, ms_of_day) = (now_ms / 86_400_000, now_ms % 86_400_000);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60, ms_of_day / 1000 % 60);
    let (name, ms) = (MONTHS[month as usize - 1], ms_of_day % 1000);
    format!("{day:02} {name} {year} {h:02}:{m:02}:{s:02}.{ms:03}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn stamps_are_civil_dates() {
        assert_eq!(super::stamp(0), "01 Jan 1970 00:00:00.000");
        assert_eq!(super::stamp(1_709_208_000_123), "29 Feb 2024 12:00:00.123");
    }
}
