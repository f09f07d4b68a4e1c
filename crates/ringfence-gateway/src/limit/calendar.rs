//! Windows of the calendar, in UTC.

/// Which windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

impl Calendar {
    /// Beginning and end of the window around a time, in seconds since 1970.
    #[must_use]
    pub const fn window(self, unix: u64) -> (u64, u64) {
        match self {
            Self::Hour => (unix - unix % HOUR, unix - unix % HOUR + HOUR),
            Self::Day => (unix - unix % DAY, unix - unix % DAY + DAY),
            Self::Month => month(unix),
        }
    }
}

/// The month around a time: years are counted from March, so that the leap day is a year's last
/// (the usual reckoning by eras of 400 years, 146,097 days each).
const fn month(unix: u64) -> (u64, u64) {
    let days = unix / DAY + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let first = of_year - (153 * month + 2) / 5;
    let start = unix / DAY - first;
    let length = match month {
        // From March on: 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, and February.
        1 | 3 | 6 | 8 => 30,
        11 => {
            let year = year_of_era + 1;
            let is_leap =
                year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            if is_leap { 29 } else { 28 }
        }
        _ => 31,
    };
    (start * DAY, (start + length) * DAY)
}
