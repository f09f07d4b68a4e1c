//! Where the processes of an environment may connect to besides what its settings name: the manifest's `[egress]`.

use ringfence_diagnostic::{Diagnostic, Place, SourceId};
use ringfence_syntax::manifest::{EgressEntry, Spanned};

use crate::environment::Environment;
use crate::tier::Tier;
use crate::value::endpoint::host_and_port;

/// The `[egress]` line of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Egress {
    /// Hosts and ports.
    pub hosts: Vec<(String, u16)>,
    /// Names of presets, which stand for lists of hosts.
    pub presets: Vec<String>,
    /// Nothing is refused but what belongs to other environments; in development only.
    pub is_open: bool,
}

impl Egress {
    /// Reads a line; what is wrong with it goes to `diagnostics`.
    pub(crate) fn read(
        source: SourceId,
        entry: &EgressEntry,
        environment: &Environment,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut egress = Self {
            is_open: entry.open.is_some(),
            ..Self::default()
        };
        if let Some(span) = entry.open.filter(|_| environment.tier != Tier::Development) {
            diagnostics.push(open_above_development(
                environment,
                Place::new(source, span),
            ));
        }
        for host in &entry.hosts {
            match (
                host.value.strip_prefix("preset:"),
                host_and_port(&host.value),
            ) {
                (Some(preset), _) if is_preset_name(preset) => {
                    egress.presets.push(preset.to_owned());
                }
                (None, Some((name, Some(port)))) => egress.hosts.push((name.to_owned(), port)),
                _ => diagnostics.push(no_host_and_port(source, host)),
            }
        }
        egress
    }
}

fn is_preset_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn open_above_development(environment: &Environment, place: Place) -> Diagnostic {
    let (name, tier) = (&environment.name, environment.tier);
    Diagnostic::error(
        "open-egress",
        format!("`{name}` is of tier {tier} and opens its egress"),
    )
    .at(place, "only development may say `open`")
    .because("a process started there could connect to anything but the other environments")
    .help("list the hosts that it needs, `host:port` each")
}

fn no_host_and_port(source: SourceId, host: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(
        "invalid-egress",
        "the entry is neither a host with its port nor a preset",
    )
    .at(Place::new(source, host.span), "this entry")
    .because("it could not be told what may be connected to")
    .help("write `host:port`, for example \"fonts.example.com:443\", or \"preset:npm\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringfence_diagnostic::Sources;
    use ringfence_syntax::manifest;

    use crate::project::{Parts, Project};

    /// The egress of `dev`, and the codes of what is wrong.
    fn read(line: &str) -> (Egress, Vec<&'static str>) {
        let text =
            format!("version = 1\n[environments]\ndev = {{}}\ntest = {{}}\n[egress]\n{line}\n");
        let source = Sources::new().add("ringfence.toml", text.as_str());
        let parsed = manifest::parse(source, &text);
        let (mut project, faults) = Project::assemble(Parts {
            file_names: &[],
            manifest: Some((source, &parsed.manifest)),
        });
        let codes = parsed
            .diagnostics
            .iter()
            .chain(&faults)
            .map(|diagnostic| diagnostic.code);
        (
            project.egress.remove("dev").unwrap_or_default(),
            codes.collect(),
        )
    }

    #[test]
    fn hosts_have_ports_and_presets_have_names() {
        let (egress, codes) =
            read("dev = [\"fonts.example.com:443\", \"[::1]:53\", \"preset:npm\"]");
        assert_eq!(
            egress.hosts,
            [
                ("fonts.example.com".to_owned(), 443),
                ("::1".to_owned(), 53)
            ]
        );
        assert_eq!(
            (egress.presets, egress.is_open, codes),
            (vec!["npm".to_owned()], false, vec![])
        );
        for bad in [
            "example.com",
            "example.com:0",
            "https://example.com",
            "preset:",
            "a b:1",
            ":443",
        ] {
            assert_eq!(
                read(&format!("dev = [\"{bad}\"]")).1,
                ["invalid-egress"],
                "{bad}"
            );
        }
    }

    #[test]
    fn only_development_is_open() {
        assert!(read("dev = \"open\"").0.is_open);
        assert_eq!(read("test = \"open\"").1, ["open-egress"]);
        assert_eq!(read("dve = \"open\"").1, ["unknown-environment-name"]);
    }
}
