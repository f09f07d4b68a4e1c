//! `ringfence gateway top`: who asks a running gateway for what, what it costs, and how long it takes.
//!
//! On a terminal it is a page that is drawn anew each second, on the terminal's other screen; elsewhere it is that page once, and with
//! `--json` an object for each second. What is shown comes from a server, so that no character of it moves the cursor.

mod page;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ringfence_gateway::status::{AskError, Gateway, Seen, Status, watch};
use serde_json::json;
use zeroize::Zeroizing;

use super::caller_key;
use crate::ambient::{Ambient, terminal_size};
use crate::args::Selection;
use crate::args::gateway::Top;
use crate::commands::start::{self, Opened};
use crate::failure::{Failure, exit};
use crate::output::{Output, Screen};
use page::{Frame, Page};

/// The name under which looking on is counted by nobody: no request of its own goes to an upstream.
pub(crate) const CALLER: &str = "top";
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Top, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let selection = Selection::named(arguments.environment.clone());
    let opened = start::open(&selection, ambient, output)?;
    let (url, token) = place(arguments, &opened, ambient)?;
    let gateway = Gateway::at(&url, token)?;
    let mut view = View {
        url,
        environment: opened.environment.name,
        json: arguments.json,
        is_once: arguments.once,
        page: Page::default(),
        screen: None,
        output,
    };
    let is_live = ambient.stdout_is_terminal && !arguments.json && !arguments.once;
    view.is_once |= !is_live && !arguments.json;
    let watched = watch(&gateway, SECOND, |seen| view.show(seen));
    // The terminal is as it was before anything else is said on it.
    drop(view.screen.take());
    watched.map(|()| exit::FINE)
}

/// Where the gateway is, and the token for it: the one that was named, the newest that a run of this user has started, or the one that the
/// manifest speaks of.
fn place(
    arguments: &Top,
    opened: &Opened,
    ambient: &Ambient,
) -> Result<(String, Zeroizing<String>), Failure> {
    let named = arguments.at.as_ref().map(|url| url.trim_end_matches('/'));
    let runs = ambient.run_gateways(&opened.loaded.root, &opened.environment.name);
    let mut runs = runs
        .into_iter()
        .map(|run| (format!("http://{}", run.address), run.token));
    if let Some(run) = runs.find(|(url, _)| named.is_none_or(|named| named == url)) {
        return Ok(run);
    }
    let url = match named {
        Some(url) => url.to_owned(),
        None => own_url(opened)?,
    };
    let token = caller_key(opened, ambient)?.token(CALLER);
    let token =
        token.ok_or_else(|| Failure::error(exit::FAULT, "there is no token to ask with"))?;
    Ok((url, token))
}

/// Where the environment's gateway listens, as the manifest says.
fn own_url(opened: &Opened) -> Result<String, Failure> {
    let environment = &opened.environment;
    let written = opened.loaded.project.gateway.listen(environment);
    let address: Option<SocketAddr> = written.and_then(|(text, _)| text.parse().ok());
    let Some(address) = address.filter(|address| address.port() != 0) else {
        let name = &environment.name;
        let message = format!(
            "nothing of `{name}` runs with a gateway here, and `[gateway]` names no port for one that is served on its own"
        );
        return Err(Failure::error(exit::USAGE, message)
            .hint("say where it listens, as it said when it started: `ringfence gateway top --at http://127.0.0.1:PORT`, or write `listen = \"127.0.0.1:4000\"` in `[gateway]`")
            .into());
    };
    let here = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    };
    Ok(format!("http://{}", SocketAddr::new(here, address.port())))
}

struct View<'a> {
    url: String,
    environment: String,
    json: bool,
    is_once: bool,
    page: Page,
    /// The terminal's other screen, once there is something to show.
    screen: Option<Screen>,
    output: &'a mut Output,
}

impl View<'_> {
    /// Shows what was seen; whether more is wanted.
    fn show(&mut self, seen: Seen) -> Result<bool, Failure> {
        match seen {
            Seen::Status(status) if self.json => self.object(*status),
            Seen::Status(status) => {
                self.page.take(*status, Instant::now());
                self.draw()
            }
            // At first there has to be a gateway; one that goes may come again.
            Seen::Nothing(error) if self.page.is_empty() => Err(self.failure(&error)),
            Seen::Nothing(error) if self.json => {
                let object = json!({ "at": self.url, "error": error.to_string() });
                self.line(&object)
            }
            Seen::Nothing(error) => {
                self.page.lose(&error.to_string());
                self.draw()
            }
            Seen::Resized if self.page.is_empty() || self.json => Ok(true),
            Seen::Resized => self.draw(),
        }
    }

    fn object(&mut self, status: Status) -> Result<bool, Failure> {
        let mut object = json!(status);
        self.page.take(status, Instant::now());
        if let Some(members) = object.as_object_mut() {
            members.insert("at".to_owned(), json!(self.url));
        }
        self.line(&object)
    }

    fn line(&mut self, object: &serde_json::Value) -> Result<bool, Failure> {
        let text = page::escaped(&object.to_string());
        let is_read = self.output.print_to_reader(&format!("{text}\n"))?;
        Ok(is_read && !self.is_once)
    }

    fn draw(&mut self) -> Result<bool, Failure> {
        // Where it is printed once, it may be as large as it is.
        let (columns, rows) = if self.is_once {
            (usize::MAX, usize::MAX)
        } else {
            terminal_size()
        };
        let frame = Frame {
            url: &self.url,
            columns,
            rows,
        };
        let lines = self.page.lines(&frame);
        let lines = lines.iter().map(|line| match line.tone {
            Some(tone) => self.output.data(tone, &line.text),
            None => line.text.clone(),
        });
        let lines: Vec<String> = lines.collect();
        if self.is_once {
            self.output.print(&format!("{}\n", lines.join("\n")))?;
            return Ok(false);
        }
        let screen = self.screen.get_or_insert_with(Screen::open);
        screen.show(&lines)?;
        Ok(true)
    }

    fn failure(&self, error: &AskError) -> Failure {
        let Self {
            url, environment, ..
        } = self;
        let message = format!("the gateway at {url} cannot be looked at");
        let error = Failure::error(exit::FAULT, message).caused_by(error);
        error
            .hint(format!("start it with `ringfence gateway {environment}`, or say where it listens with `--at`; those that `run` starts are found while they run"))
            .into()
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Url(_) => exit::USAGE,
            _ => exit::FAULT,
        };
        Self::error(code, "the gateway cannot be looked at")
            .caused_by(error)
            .hint("`--at` takes a URL such as `http://127.0.0.1:4000`")
            .into()
    }
}
