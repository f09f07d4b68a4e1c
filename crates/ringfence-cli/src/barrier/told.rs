//! What a barrier does, in words: events as they happen, and what a run came to.

use ringfence_reach::plan::{self, Endpoint, Host};
use ringfence_sandbox::refusal::{Event, Refusal, Refused};

/// The words for an event, on one line.
pub(crate) fn words(event: &Event, environment: &str, carried: &[Endpoint]) -> Option<String> {
    let line = match event {
        Event::Built { .. } | Event::Published { .. } => return None,
        Event::Weakened { from, step, reason } => format!(
            "ringfence: the barrier `{from}` cannot be built here ({step}: {reason}); `ringfence doctor` says what mends it"
        ),
        Event::Refused(refusal) => {
            let why = refused(refusal, environment, carried);
            format!("ringfence: blocked {why}")
        }
        Event::Unreachable { target, reason } => {
            format!("ringfence: {target} cannot be reached from this machine: {reason}")
        }
        Event::PortTaken { port, reason } => format!(
            "ringfence: the program's port {port} cannot be shown outside at 127.0.0.1:{port}: {reason}; stop what has it, or use another port"
        ),
        Event::PortOfAnother { port, environment } => format!(
            "ringfence: the program's port {port} is not shown outside: 127.0.0.1:{port} is where `{environment}` looks for its own; use another port"
        ),
        Event::PortUndeclared { port } => format!(
            "ringfence: the program's port {port} is not shown outside: what comes in to `{environment}` is limited, and `ports` in ringfence.toml does not name it; to show it, within the limits: `ports = [{port}]`"
        ),
        Event::Needed { .. } => return None,
        Event::Appeared { path } => format!("ringfence: {path} appeared, and was hidden"),
        Event::SetAside { path, now } => format!(
            "ringfence: {path} was made during the run; other programs would run or obey it, so it is now {now}"
        ),
        Event::NotSetAside { path, reason } => format!(
            "ringfence: {path} was made during the run, other programs would run or obey it, and it cannot be moved aside: {reason}; look at it"
        ),
        Event::Left { processes } => format!(
            "ringfence: {processes} {} left behind, and ended",
            if *processes == 1 {
                "process was"
            } else {
                "processes were"
            }
        ),
    };
    Some(line)
}

/// What was refused, and how to allow it.
fn refused(refusal: &Refusal, environment: &str, carried: &[Endpoint]) -> String {
    let Refusal {
        kind,
        target,
        environment: owner,
    } = refusal;
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']), port.parse().ok()),
        None => (target.as_str(), None),
    };
    let is_carried = |endpoint: &Endpoint| {
        endpoint.host == Host::read(host) && port.is_none_or(|port: u16| port == endpoint.port)
    };
    if let Some(endpoint) = carried.iter().find(|endpoint| is_carried(endpoint)) {
        return format!(
            "{target}: `{environment}` reaches it through the gateway alone, at the address that the program got ({})",
            endpoint.because.join(", ")
        );
    }
    let belongs = owner
        .as_ref()
        .map(|owner| format!(" (belongs to {owner})"))
        .unwrap_or_default();
    let kind_words = match kind {
        Refused::Connection => "no setting of it names this address",
        Refused::Name => "no setting of it names this host",
        Refused::ServerName => "the TLS greeting names another host than the setting does",
        Refused::Metadata => {
            "a machine's credentials are given away there, and the setting does not name the address itself"
        }
    };
    let mend = match (owner, kind) {
        (Some(owner), _) => format!("`ringfence run {owner}` is where it can be reached"),
        (None, Refused::Connection) => {
            format!("to allow it: `[egress] {environment} = [\"{target}\"]`")
        }
        (None, Refused::Name) => match plan::preset_of(target) {
            Some(preset) => {
                format!("to allow it: `[egress] {environment} = [\"preset:{preset}\"]`")
            }
            None => format!("to allow it: `[egress] {environment} = [\"{target}:443\"]`"),
        },
        (None, _) => "name it in a setting, or in `[egress]`".to_owned(),
    };
    format!("{target}{belongs}: `{environment}` may not connect there, {kind_words}; {mend}")
}

/// The summary at the end of a run; `None` where nothing was refused.
pub(crate) fn summary(events: &[Event]) -> Option<String> {
    let refusals: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Refused(refusal) => Some(refusal),
            _ => None,
        })
        .map(|refusal| match &refusal.environment {
            Some(owner) => format!("{} (belongs to {owner})", refusal.target),
            None => refusal.target.clone(),
        })
        .collect();
    const NAMED: usize = 10;
    let count = refusals.len();
    let mut refusals = refusals;
    if count > NAMED {
        refusals.truncate(NAMED);
        refusals.push(format!("{} more", count - NAMED));
    }
    let noun = if count == 1 { "refusal" } else { "refusals" };
    (count > 0).then(|| format!("ringfence: {count} {noun}: {}", refusals.join(", ")))
}

/// The lines of `[egress]` that a run would have needed.
pub(crate) fn lesson(events: &[Event], environment: &str) -> String {
    let mut needed: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Needed { target } => Some(target.as_str()),
            _ => None,
        })
        .collect();
    needed.sort_unstable();
    if needed.is_empty() {
        return format!("ringfence: `{environment}` needs nothing besides what its settings name");
    }
    let lines: Vec<String> = needed
        .iter()
        .map(|target| format!("  \"{target}\",\n"))
        .collect();
    format!(
        "ringfence: what `{environment}` would need besides its settings, for ringfence.toml:\n[egress]\n{} = [\n{}]",
        key(environment),
        lines.concat()
    )
}

/// A key of TOML.
fn key(name: &str) -> String {
    let bare = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}
