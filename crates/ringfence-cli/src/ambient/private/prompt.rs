//! What people type at the terminal: a line that is not shown, Enter; or what a pipe gives in its place.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use ringfence_secret::value::Secret;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// Waits for Enter at the terminal; no where there is none.
pub(crate) fn ask_enter(prompt: &str) -> bool {
    ask_shown(prompt).is_some()
}

/// A line typed at the terminal, which shows it; nothing where there is no terminal.
pub(crate) fn ask_shown(prompt: &str) -> Option<String> {
    let terminal = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let _ = write!(&terminal, "{prompt} ");
    let mut line = String::new();
    let length = io::BufReader::new(&terminal).read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks on the terminal for something that is not shown; nothing where there is no terminal.
pub(crate) fn ask_hidden(prompt: &str) -> Option<Secret> {
    ask_line(prompt).ok()
}

const CTRL_C: u8 = 3;
const CTRL_BACKSLASH: u8 = 28;

/// Reads one line that is not shown. Ctrl-C comes as a character meanwhile, so that the terminal is as it was before this process
/// ends of it.
fn ask_line(prompt: &str) -> io::Result<Secret> {
    let terminal = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ISIG);
    silent.local_modes.insert(LocalModes::ICANON);
    silent.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    silent.special_codes[SpecialCodeIndex::VEOL2] = CTRL_BACKSLASH;
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let _ = write!(&terminal, "{prompt}");
    let read = typed_line(&terminal);
    let more = is_more_typed(&terminal, &silent);
    // What the terminal was before is what it must be again, whatever came of the reading.
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    let _ = writeln!(&terminal);
    let line = read?;
    if matches!(line.last().copied(), Some(CTRL_C | CTRL_BACKSLASH)) {
        let _ = kill_process(getpid(), Signal::INT);
        return Err(io::ErrorKind::Interrupted.into());
    }
    if more {
        return Err(io::Error::other(
            "more than one line came, and a terminal passes on one: pipe it in",
        ));
    }
    as_typed(&line)
}

/// What a terminal passes on as one line (`termios(3)`, canonical mode: 4,095 bytes and the line's end; the rest is dropped unsaid).
const LONGEST_LINE: usize = 4095;

fn typed_line(mut terminal: &fs::File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(4 * LONGEST_LINE));
    let mut part = Zeroizing::new([0; LONGEST_LINE + 1]);
    while line.len() <= LONGEST_LINE {
        let length = terminal.read(part.as_mut())?;
        line.extend_from_slice(part.get(..length).unwrap_or_default());
        if length == 0 || matches!(line.last().copied(), Some(b'\n' | CTRL_C | CTRL_BACKSLASH)) {
            break;
        }
    }
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

/// Whether more was typed or pasted than the line that was read. Only without canonical mode does the terminal count an unended line.
fn is_more_typed(terminal: &fs::File, silent: &Termios) -> bool {
    let mut counting = silent.clone();
    counting.local_modes.remove(LocalModes::ICANON);
    let _ = tcsetattr(terminal, OptionalActions::Now, &counting);
    rustix::io::ioctl_fionread(terminal).is_ok_and(|bytes| bytes > 0)
}

fn as_typed(line: &[u8]) -> io::Result<Secret> {
    let text = std::str::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.len() >= LONGEST_LINE {
        return Err(io::Error::other(
            "it is longer than a line that a terminal passes on: pipe it in",
        ));
    }
    if text.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err(io::Error::other(
            "it has a control character in it: pipe it in if that is meant",
        ));
    }
    Ok(Secret::new(text))
}

/// What the terminal or a pipe gives as a secret: without the line's end that `echo` puts behind it.
pub(crate) fn read_secret(prompt: &str) -> io::Result<Secret> {
    const MOST: u64 = 1 << 20;
    if io::stdin().is_terminal() {
        return ask_line(prompt);
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    io::stdin()
        .lock()
        .take(MOST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    // A command that failed in front of the pipe must not clear what it was to set.
    if text.is_empty() {
        return Err(io::Error::other(
            "nothing came through the pipe; an empty value is an empty line (`echo | …`)",
        ));
    }
    let plain = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(plain.strip_suffix('\r').unwrap_or(plain)))
}
