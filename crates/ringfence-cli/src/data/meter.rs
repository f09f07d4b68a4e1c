//! How far a sample, a load or a scrub is: one line on the terminal, once it has taken a second, and nothing anywhere else.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringfence_data::sample::{Step, Work};

use crate::ambient::{self, Ambient};

/// The line. Whatever takes less than a second never shows it.
pub(crate) struct Meter {
    begun: Instant,
    shown: Option<Instant>,
    /// When the work that is done now began, and with how many rows.
    work: Option<(Work, Instant)>,
    is_shown: bool,
    /// The bytes of a file that were read, and how many it has.
    file: Option<(Rc<Cell<u64>>, u64)>,
}

impl Meter {
    pub(crate) fn new(ambient: &Ambient) -> Self {
        Self {
            begun: Instant::now(),
            shown: None,
            work: None,
            is_shown: ambient.stderr_is_terminal,
            file: None,
        }
    }

    /// A meter that knows how far it is by what was read of a file.
    pub(crate) fn of_file(ambient: &Ambient, file: BufReader<File>) -> (Self, Counted) {
        let length = ambient::length(&file);
        let read = Rc::new(Cell::new(0));
        let counted = Counted {
            inner: file,
            read: Rc::clone(&read),
        };
        let mut meter = Self::new(ambient);
        meter.file = Some((read, length));
        (meter, counted)
    }

    pub(crate) fn tick(&mut self, step: &Step<'_>) {
        const EACH: u64 = 16;
        const PAUSE: Duration = Duration::from_millis(200);
        const PATIENCE: Duration = Duration::from_secs(1);
        if !self.is_shown || !step.rows.is_multiple_of(EACH) {
            return;
        }
        let now = Instant::now();
        let since = match self.work {
            Some((work, since)) if work == step.work => since,
            _ => {
                self.work = Some((step.work, now));
                now
            }
        };
        let is_soon = self.shown.is_some_and(|shown| now - shown < PAUSE);
        if is_soon || now - self.begun < PATIENCE {
            return;
        }
        self.shown = Some(now);
        let share = match &self.file {
            Some((read, length)) => share(read.get(), *length),
            None => step.of.and_then(|of| share(step.rows, of)),
        };
        ambient::status(&line(step, share, now - since));
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if self.shown.is_some() {
            ambient::status("");
        }
    }
}

/// Thousandths.
fn share(done: u64, of: u64) -> Option<u64> {
    (done * 1000).checked_div(of).map(|share| share.min(1000))
}

/// At most 79 characters, so that no terminal breaks it.
fn line(step: &Step<'_>, share: Option<u64>, took: Duration) -> String {
    const CELLS: u64 = 10;
    const MOST: usize = 79;
    let doing = match step.work {
        Work::Choosing => "choosing",
        Work::Writing => "writing",
        Work::Loading => "loading",
        Work::Masking => "masking",
    };
    let table: String = step
        .table
        .chars()
        .filter(|c| !c.is_control())
        .take(16)
        .collect();
    let bar = share.map_or_else(String::new, |share| {
        let full = share * CELLS / 1000;
        let cells: String = (0..CELLS)
            .map(|at| if at < full { '#' } else { '.' })
            .collect();
        format!("[{cells}] {:>3}% ", share / 10)
    });
    let milliseconds = took.as_millis().max(1);
    let rate = u128::from(step.rows) * 1000 / milliseconds;
    let line = format!("{doing} {table} {bar}{} rows, {rate} rows/s", step.rows);
    line.chars().take(MOST).collect()
}

/// A file whose bytes are counted while they are read.
pub(crate) struct Counted {
    inner: BufReader<File>,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.read.set(self.read.get() + length as u64);
        self.inner.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_how_far_and_how_fast() {
        let step = Step {
            work: Work::Loading,
            table: "a_table_with_a_long_name\u{1b}[2J",
            rows: 123_456_789,
            of: None,
        };
        let shown = line(&step, share(29, 50), Duration::from_secs(2));
        assert_eq!(
            shown,
            "loading a_table_with_a_l [#####.....]  58% 123456789 rows, 61728394 rows/s"
        );
        let shown = line(&step, None, Duration::from_secs(2));
        assert!(!shown.contains('[') && !shown.contains('\u{1b}'), "{shown}");
        assert_eq!(share(1, 0), None);
        assert_eq!(share(7, 5), Some(1000));
    }
}
