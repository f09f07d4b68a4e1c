//! Coding agents: how they are recognised, and which folders of the home directory are their own.

use std::ffi::OsStr;
use std::path::Path;

use ringfence_model::host::Host;

/// A coding agent.
pub(crate) struct Agent {
    /// What people call it.
    pub(crate) name: &'static str,
    commands: &'static [&'static str],
    /// Variables that it sets for what it starts.
    variables: &'static [&'static str],
    /// Its own files, below the home directory.
    pub(crate) folders: &'static [&'static str],
}

const AGENTS: &[Agent] = &[
    Agent {
        name: "Claude Code",
        commands: &["claude"],
        variables: &["CLAUDECODE"],
        folders: &[".claude", ".claude.json", ".config/claude"],
    },
    Agent {
        name: "Codex",
        commands: &["codex"],
        variables: &["CODEX_SANDBOX", "CODEX_THREAD_ID"],
        folders: &[".codex"],
    },
    Agent {
        name: "Gemini CLI",
        commands: &["gemini"],
        variables: &["GEMINI_CLI"],
        folders: &[".gemini"],
    },
    Agent {
        name: "Cursor",
        commands: &["cursor-agent"],
        variables: &["CURSOR_AGENT"],
        folders: &[".cursor", ".config/cursor"],
    },
    Agent {
        name: "Aider",
        commands: &["aider"],
        variables: &[],
        folders: &[".aider", ".aider.conf.yml"],
    },
    Agent {
        name: "opencode",
        commands: &["opencode"],
        variables: &["OPENCODE"],
        folders: &[
            ".config/opencode",
            ".local/share/opencode",
            ".local/state/opencode",
        ],
    },
    Agent {
        name: "Amp",
        commands: &["amp"],
        variables: &["AMP_CURRENT_THREAD_ID"],
        folders: &[".config/amp", ".local/share/amp"],
    },
    Agent {
        name: "Goose",
        commands: &["goose"],
        variables: &["GOOSE_TERMINAL"],
        folders: &[".config/goose", ".local/share/goose", ".local/state/goose"],
    },
    Agent {
        name: "Crush",
        commands: &["crush"],
        variables: &["CRUSH"],
        folders: &[".config/crush", ".local/share/crush"],
    },
    Agent {
        name: "Qwen Code",
        commands: &["qwen"],
        variables: &["QWEN_CODE"],
        folders: &[".qwen"],
    },
    Agent {
        name: "Copilot CLI",
        commands: &["copilot"],
        variables: &["COPILOT_CLI"],
        folders: &[".copilot"],
    },
    Agent {
        name: "Droid",
        commands: &["droid"],
        variables: &[],
        folders: &[".factory"],
    },
];

/// The agent that is to be started, or that started us.
pub(crate) fn detect(
    command: &OsStr,
    arguments: &[std::ffi::OsString],
    host: &Host,
) -> Option<&'static Agent> {
    let own = |word: &OsStr| {
        let name = Path::new(word).file_name()?.to_str()?.to_owned();
        AGENTS
            .iter()
            .find(|agent| agent.commands.contains(&name.as_str()))
    };
    // `npx claude`, `env X=1 codex`, `sh -c …` is anything: the first words are looked at.
    let runners = [
        "npx", "bunx", "pnpx", "uvx", "pipx", "env", "node", "exec", "nice", "time", "command",
    ];
    let is_runner = Path::new(command)
        .file_name()
        .and_then(OsStr::to_str)
        .is_some_and(|name| runners.contains(&name));
    let by_name = own(command).or_else(|| {
        let words = arguments.iter().take(4).filter(|_| is_runner);
        words.into_iter().find_map(|word| own(word))
    });
    let by_variable = || {
        let is_set = |name: &&str| host.get(name).is_some_and(|value| !value.is_empty());
        AGENTS
            .iter()
            .find(|agent| agent.variables.iter().any(&is_set))
    };
    by_name.or_else(by_variable)
}
