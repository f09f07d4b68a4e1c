//! What people and machines are told: data on standard output, talk on standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use ringfence_diagnostic::render::{self, Style, records, without_controls};
use ringfence_diagnostic::{Diagnostic, Severity, Sources};
use ringfence_model::tier::Tier;

use crate::ambient::Ambient;
use crate::failure::{Error, Failure, exit};

/// Where output goes, and how it is set.
pub(crate) struct Output {
    style: Style,
    stdout_colour: bool,
    is_silent: bool,
}

/// What a piece of text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Strong,
    Quiet,
    Good,
    Careful,
    Danger,
}

impl Tone {
    /// The tone of a tier: production is loud.
    pub(crate) const fn of_tier(tier: Tier) -> Self {
        match tier {
            Tier::Development | Tier::Testing => Self::Good,
            Tier::Staging => Self::Careful,
            Tier::Production => Self::Danger,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Quiet => "2",
            Self::Good => "32",
            Self::Careful => "33",
            Self::Danger => "1;37;41",
        }
    }
}

impl Output {
    pub(crate) fn new(ambient: &Ambient) -> Self {
        Self {
            style: Style {
                colour: ambient.stderr_colour,
                width: ambient.width,
            },
            stdout_colour: ambient.stdout_colour,
            is_silent: false,
        }
    }

    /// Without colour: for what goes wrong before the terminal has been looked at.
    pub(crate) fn plain() -> Self {
        Self {
            style: Style::default(),
            stdout_colour: false,
            is_silent: false,
        }
    }

    /// Says nothing: what is to be told is told otherwise.
    pub(crate) fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::plain()
        }
    }

    /// Text for standard error.
    pub(crate) fn loud(&self, tone: Tone, text: &str) -> String {
        painted(self.style.colour, tone, text)
    }

    /// Text for standard output.
    pub(crate) fn data(&self, tone: Tone, text: &str) -> String {
        painted(self.stdout_colour, tone, text)
    }

    /// How data is set that has source excerpts in it.
    pub(crate) const fn data_style(&self) -> Style {
        Style {
            colour: self.stdout_colour,
            width: self.style.width,
        }
    }

    /// Prints data. A reader that has left is no fault of ours.
    pub(crate) fn print(&mut self, text: &str) -> Result<u8, Failure> {
        self.print_to_reader(text).map(|_| exit::FINE)
    }

    /// Prints data that goes on; whether anybody still reads it.
    pub(crate) fn print_to_reader(&mut self, text: &str) -> Result<bool, Failure> {
        let mut stdout = io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(
                Failure::error(exit::FAULT, "standard output cannot be written")
                    .caused_by(error)
                    .into(),
            ),
        }
    }

    /// Prints data as JSON.
    pub(crate) fn print_json(&mut self, data: &impl serde::Serialize) -> Result<u8, Failure> {
        let text = serde_json::to_string_pretty(data).map_err(|error| {
            Failure::error(exit::FAULT, "the data cannot be written as JSON").caused_by(error)
        })?;
        self.print(&(text + "\n"))
    }

    /// Says a line.
    pub(crate) fn say(&mut self, line: &str) {
        if self.is_silent {
            return;
        }
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Tells a person what is wrong, errors last, because the end is what a terminal shows; of very many only the first.
    pub(crate) fn diagnostics(&mut self, diagnostics: &[Diagnostic], sources: &Sources) {
        const MOST: usize = 100;
        let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
        sorted.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
        let more = sorted.len().saturating_sub(MOST);
        sorted.truncate(MOST);
        sorted.sort_by_key(|diagnostic| diagnostic.severity);
        for diagnostic in sorted {
            let text = render::human(diagnostic, sources, self.style);
            self.say(&text);
        }
        if more > 0 {
            self.say(&format!("ringfence: {more} more, not shown here"));
        }
    }

    /// Says each warning in one line: nothing is refused, so nothing is spread out.
    pub(crate) fn warnings(&mut self, diagnostics: &[Diagnostic], sources: &Sources) {
        for diagnostic in diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Warning)
        {
            let place = diagnostic
                .labels
                .first()
                .map(|label| sources.locate(label.place) + ": ")
                .unwrap_or_default();
            let help = diagnostic
                .help
                .first()
                .map(|help| format!("; {help}"))
                .unwrap_or_default();
            let line = format!("ringfence: warning: {place}{}{help}", diagnostic.message);
            self.say(&without_controls(&line));
        }
    }

    /// Tells why a command did not do what it was asked, and gives its exit code.
    pub(crate) fn failure(&mut self, failure: &Failure) -> u8 {
        match failure {
            Failure::Diagnostics(diagnostics, sources) => self.diagnostics(diagnostics, sources),
            Failure::Error(error) => self.error(error),
        }
        failure.code()
    }

    /// The same for a machine that asked for JSON: what is wrong in the files is data.
    pub(crate) fn failure_as_json(&mut self, failure: &Failure) -> u8 {
        if let Failure::Diagnostics(diagnostics, sources) = failure {
            let record = serde_json::json!({ "diagnostics": records(diagnostics, sources) });
            return self
                .print_json(&record)
                .map_or_else(|failure| failure.code(), |_| failure.code());
        }
        self.failure(failure)
    }

    fn error(&mut self, error: &Error) {
        let label = self.loud(Tone::Strong, "error");
        self.say(&format!("{label}: {}", without_controls(&error.message)));
        if let Some(cause) = &error.cause {
            self.say(&format!("caused by: {}", without_controls(cause)));
        }
        if let Some(hint) = &error.hint {
            self.say(&format!("hint: {}", without_controls(hint)));
        }
    }
}

/// The other screen of the terminal that standard output is. When it is dropped, the terminal shows again what it showed before.
pub(crate) struct Screen(());

impl Screen {
    /// Without a cursor, and without lines that go on in the next row (`console_codes(4)`, xterm's `ctlseqs`).
    pub(crate) fn open() -> Self {
        let screen = Self(());
        // The first frame tells whether it can be written to.
        let _ = screen.write("\x1b[?1049h\x1b[?25l\x1b[?7l");
        screen
    }

    /// Draws over what was there: nothing is cleared first, so that nothing flickers.
    pub(crate) fn show(&self, lines: &[String]) -> Result<(), Failure> {
        let lines = lines.join("\x1b[K\r\n");
        let frame = format!("\x1b[H{lines}\x1b[K\x1b[J");
        self.write(&frame).map_err(|error| {
            Failure::error(exit::FAULT, "the terminal cannot be written")
                .caused_by(error)
                .into()
        })
    }

    #[expect(clippy::unused_self, reason = "whoever writes there has opened it")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal has gone there is nothing to put back.
        let _ = self.write("\x1b[?7h\x1b[?25h\x1b[?1049l");
    }
}

fn painted(colour: bool, tone: Tone, text: &str) -> String {
    if colour {
        format!("\x1b[{}m{text}\x1b[0m", tone.code())
    } else {
        text.to_owned()
    }
}

/// Help and version go to standard output, mistakes to standard error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Where the stream is closed there is nobody to tell.
    let _ = error.print();
    let is_about_run = error.to_string().contains("ringfence run");
    if is_about_run
        && matches!(
            error.kind(),
            ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument
        )
    {
        let _ = writeln!(
            io::stderr().lock(),
            "\nhint: the command stands after `--`: ringfence run dev -- CMD"
        );
    }
    ExitCode::from(if error.use_stderr() {
        exit::USAGE
    } else {
        exit::FINE
    })
}

/// Rows of cells in columns as wide as their widest cell, the last one free.
pub(crate) fn columns(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let padded = |row: &Vec<String>| {
        let last = row.len().saturating_sub(1);
        let cells = row.iter().zip(&widths).enumerate();
        cells
            .map(|(index, (cell, width))| {
                if index == last {
                    cell.clone()
                } else {
                    format!("{cell:width$}")
                }
            })
            .collect()
    };
    rows.iter().map(padded).collect()
}
