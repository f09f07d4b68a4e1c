//! A process of Ringfence's own beside this one: what is asked there leaves no thread and no secret here.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

/// Variables that say where the system's roots of trust are.
const KEPT: &[&str] = &["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Starts this program again with one word, hands it `question`, and gives what it says. It ends by itself.
pub(crate) fn ask_own_process(word: &str, question: &[u8]) -> io::Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts processes, and the variables are none of the project's"
    )]
    let mut command = {
        let mut command = Command::new(own_program()?);
        command.arg(word).env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let asked = child
        .stdin
        .take()
        .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
        .and_then(|mut input| input.write_all(question));
    let mut answer = Vec::new();
    let read = child
        .stdout
        .take()
        .map_or(Ok(0), |output| output.take(MOST).read_to_end(&mut answer));
    let ended = child.wait()?;
    asked?;
    read?;
    if ended.success() {
        Ok(answer)
    } else {
        Err(io::Error::other(format!("it ended with {ended}")))
    }
}

/// All of standard input, up to a bound.
pub(crate) fn question() -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    const MOST: usize = 1 << 20;
    // Reserved at once, so that no copy is left behind when it grows.
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(MOST));
    io::stdin()
        .lock()
        .take(MOST as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file that is running, even where another one has taken its name meanwhile.
fn own_program() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts processes"
    )]
    std::env::current_exe()
}

/// Runs this program again at the terminal, with the caller's own variables, and waits for its end.
pub(crate) fn run_own_process(
    words: &[String],
    folder: &std::path::Path,
    ambient: &super::Ambient,
) -> io::Result<std::process::ExitStatus> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts processes"
    )]
    let mut command = Command::new(own_program()?);
    command
        .args(words)
        .current_dir(folder)
        .env_clear()
        .envs(ambient.host.iter())
        .status()
}
