//! Times as texts and back, and parts of times: in UTC, by the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
//! Date Algorithms").

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Times up to the year 9999, both sides of 1970.
const SECONDS_MAX: i64 = 253_402_300_799;

/// A time in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub year: i64,
    /// 0 to 11.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

/// Days from 1970-01-01; `month` 0 to 11.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month < 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Moment {
    /// The moment so many seconds from 1970; `None` if that is out of bounds or no number.
    pub fn new(seconds: f64) -> Option<Self> {
        if seconds.is_nan() || seconds.abs() > SECONDS_MAX as f64 {
            return None;
        }
        let seconds = seconds.floor() as i64;
        let (day, of_day) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
        let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let month = (march + 2) % 12;
        Some(Self {
            year: year + era * 400 + i64::from(month < 2),
            month,
            day: of_year - (153 * march + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        })
    }

    /// Seconds from 1970.
    pub fn seconds(&self) -> i64 {
        days(self.year, self.month, self.day) * DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// 0 for Sunday.
    pub fn day_of_week(&self) -> i64 {
        (days(self.year, self.month, self.day) + 4).rem_euclid(7)
    }

    /// 0 to 365.
    pub fn day_of_year(&self) -> i64 {
        days(self.year, self.month, self.day) - days(self.year, 0, 1)
    }

    /// As `strftime` of the C locale writes it; `None` for a conversion that is not known, or a text of more than a kilobyte.
    pub fn format(&self, format: &str) -> Option<String> {
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if out.len() > 1024 {
                return None;
            }
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let part = match letters.next()? {
                'Y' => self.year.to_string(),
                'C' => format!("{:02}", self.year / 100),
                'y' => format!("{:02}", self.year.rem_euclid(100)),
                'm' => format!("{:02}", self.month + 1),
                'd' => format!("{:02}", self.day),
                'e' => format!("{:2}", self.day),
                'H' => format!("{:02}", self.hour),
                'I' => format!("{:02}", (self.hour + 11) % 12 + 1),
                'M' => format!("{:02}", self.minute),
                'S' => format!("{:02}", self.second),
                'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
                'j' => format!("{:03}", self.day_of_year() + 1),
                'w' => self.day_of_week().to_string(),
                'u' => ((self.day_of_week() + 6) % 7 + 1).to_string(),
                'a' => DAYS[self.day_of_week() as usize][..3].to_owned(),
                'A' => DAYS[self.day_of_week() as usize].to_owned(),
                'b' | 'h' => MONTHS[self.month as usize][..3].to_owned(),
                'B' => MONTHS[self.month as usize].to_owned(),
                'F' => self.format("%Y-%m-%d")?,
                'T' => self.format("%H:%M:%S")?,
                'R' => self.format("%H:%M")?,
                'D' | 'x' => self.format("%m/%d/%y")?,
                'X' => self.format("%H:%M:%S")?,
                'c' => self.format("%a %b %e %H:%M:%S %Y")?,
                'r' => self.format("%I:%M:%S %p")?,
                's' => self.seconds().to_string(),
                'Z' => "GMT".to_owned(),
                'z' => "+0000".to_owned(),
                'n' => "\n".to_owned(),
                't' => "\t".to_owned(),
                '%' => "%".to_owned(),
                _ => return None,
            };
            out.push_str(&part);
        }
        (out.len() <= 1024).then_some(out)
    }

    /// Reads what `strptime` would; `None` for what does not fit the format.
    pub fn parse(text: &str, format: &str) -> Option<Self> {
        let mut draft = Draft {
            moment: Self { year: 1970, month: 0, day: 1, hour: 0, minute: 0, second: 0 },
            afternoon: None,
        };
        let rest = draft.read(text, format)?;
        // What is behind the format is left unread.
        _ = rest;
        if let Some(afternoon) = draft.afternoon {
            draft.moment.hour = draft.moment.hour % 12 + if afternoon { 12 } else { 0 };
        }
        Some(draft.moment)
    }
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What has been read of a time.
struct Draft {
    moment: Moment,
    afternoon: Option<bool>,
}

impl Draft {
    fn read<'a>(&mut self, text: &'a str, format: &str) -> Option<&'a str> {
        let mut rest = text;
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter.is_ascii_whitespace() {
                rest = rest.trim_start();
            } else if letter != '%' {
                rest = rest.strip_prefix(letter)?;
            } else {
                rest = self.part(letters.next()?, rest)?;
            }
        }
        Some(rest)
    }

    fn part<'a>(&mut self, conversion: char, rest: &'a str) -> Option<&'a str> {
        let moment = &mut self.moment;
        match conversion {
            'Y' => number(rest, 4, 0, 9999, &mut moment.year),
            'm' => {
                let rest = number(rest, 2, 1, 12, &mut moment.month)?;
                moment.month -= 1;
                Some(rest)
            }
            'd' | 'e' => number(rest, 2, 1, 31, &mut moment.day),
            'H' => number(rest, 2, 0, 23, &mut moment.hour),
            'I' => number(rest, 2, 1, 12, &mut moment.hour),
            'M' => number(rest, 2, 0, 59, &mut moment.minute),
            'S' => number(rest, 2, 0, 60, &mut moment.second),
            'y' => {
                let rest = number(rest, 2, 0, 99, &mut moment.year)?;
                moment.year += if moment.year < 69 { 2000 } else { 1900 };
                Some(rest)
            }
            'p' => {
                let (word, behind) = rest.split_at_checked(2)?;
                self.afternoon = Some(match word.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                Some(behind)
            }
            'b' | 'B' | 'h' => {
                let (month, behind) = word(rest, &MONTHS)?;
                moment.month = month;
                Some(behind)
            }
            'a' | 'A' => Some(word(rest, &DAYS)?.1),
            'F' => self.read(rest, "%Y-%m-%d"),
            'T' => self.read(rest, "%H:%M:%S"),
            'R' => self.read(rest, "%H:%M"),
            'D' => self.read(rest, "%m/%d/%y"),
            'n' | 't' => Some(rest.trim_start()),
            'Z' => Some(rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic())),
            '%' => rest.strip_prefix('%'),
            _ => None,
        }
    }
}

fn number<'a>(text: &'a str, digits_max: usize, min: i64, max: i64, out: &mut i64) -> Option<&'a str> {
    let text = text.trim_start();
    let digits = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    *out = number.parse().ok().filter(|number| (min..=max).contains(number))?;
    Some(rest)
}

fn word<'a>(text: &'a str, words: &[&str]) -> Option<(i64, &'a str)> {
    words.iter().enumerate().find_map(|(index, word)| {
        let starts =
            |word: &str| text.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word));
        let length = if starts(word) {
            word.len()
        } else if starts(&word[..3]) {
            3
        } else {
            return None;
        };
        Some((index as i64, &text[length..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_of_leap_years() {
        for (seconds, text, week, year) in [
            (1_517_417_144, "2018-01-31T16:45:44Z", 3, 30),
            (1_706_294_258, "2024-01-26T18:37:38Z", 5, 25),
            (1_709_230_599, "2024-02-29T18:16:39Z", 4, 59),
            (1_711_478_258, "2024-03-26T18:37:38Z", 2, 85),
            (-1, "1969-12-31T23:59:59Z", 3, 364),
        ] {
            let moment = Moment::new(seconds as f64).unwrap();
            assert_eq!(moment.format("%FT%TZ").as_deref(), Some(text));
            assert_eq!((moment.day_of_week(), moment.day_of_year()), (week, year), "{text}");
            assert_eq!(Moment::parse(text, "%FT%TZ"), Some(moment));
            assert_eq!(moment.seconds(), seconds);
        }
        assert_eq!(Moment::parse("20210401", "%Y%m%d").unwrap().seconds(), 1_617_235_200);
        assert_eq!(
            Moment::parse("1 Apr 2021 3:05 PM", "%d %b %Y %I:%M %p").unwrap().seconds(),
            1_617_289_500
        );
        assert_eq!(Moment::parse("2021-13-01", "%F"), None);
        assert_eq!(Moment::new(f64::NAN), None);
        assert_eq!(Moment::new(2.4e29), None);
        assert_eq!(Moment::new(0.0).unwrap().format("%Q"), None);
    }

    proptest! {
        #[test]
        fn parts_and_back(seconds in -SECONDS_MAX/2..SECONDS_MAX) {
            let moment = Moment::new(seconds as f64).unwrap();
            prop_assert_eq!(moment.seconds(), seconds);
            prop_assert!((0..12).contains(&moment.month) && (1..=31).contains(&moment.day) && (0..366).contains(&moment.day_of_year()));
        }

        #[test]
        fn any_text_and_format(text in "\\PC{0,20}", format in "[%A-Za-z :/-]{0,12}") {
            Moment::parse(&text, &format);
            Moment::new(1e9).unwrap().format(&format);
        }
    }
}
