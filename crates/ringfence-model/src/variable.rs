//! Names in a process's environment block that mean something to Ringfence, whatever a project sets.

/// The variable that tells the child its environment.
pub const ENVIRONMENT: &str = "RINGFENCE_ENVIRONMENT";
/// The variable that tells the child its tier.
pub const TIER: &str = "RINGFENCE_TIER";
/// What the names of Ringfence's own variables begin with.
pub const OWN_PREFIX: &str = "RINGFENCE_";

/// Host variables that any program may need and that say nothing about an environment: the person, the machine, the
/// terminal, and where the tools of a language are installed.
const ORDINARY: &[&str] = &[
    "CARGO_HOME",
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "CONDA_PREFIX",
    "EDITOR",
    "FORCE_COLOR",
    "GOPATH",
    "GOROOT",
    "HOME",
    "HOSTNAME",
    "JAVA_HOME",
    "LANG",
    "LANGUAGE",
    "LINES",
    "LOGNAME",
    "LS_COLORS",
    "NO_COLOR",
    "NVM_DIR",
    "PAGER",
    "PATH",
    "PWD",
    "PYENV_ROOT",
    "RBENV_ROOT",
    "RUSTUP_HOME",
    "SHELL",
    "SHLVL",
    "SSH_TTY",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TERMINFO",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERPROFILE",
    "VIRTUAL_ENV",
    "VISUAL",
];

/// What the names of whole families of ordinary variables begin with.
const ORDINARY_FAMILIES: &[&str] = &["LC_", "XDG_"];

/// Variables that make a program load or run other code than its own.
const HIJACKING: &[&str] = &[
    "BASH_ENV",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_OPTIONS",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PROMPT_COMMAND",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "_JAVA_OPTIONS",
];

/// What the names of whole families of such variables begin with.
const HIJACKING_FAMILIES: &[&str] = &["BASH_FUNC_", "DYLD_", "LD_"];

/// Whether a host variable reaches every child.
#[must_use]
pub fn is_ordinary(name: &str) -> bool {
    ORDINARY.binary_search(&name).is_ok()
        || ORDINARY_FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
}

/// Whether a variable of that name changes which code a program runs.
#[must_use]
pub fn hijacks(name: &str) -> bool {
    HIJACKING.binary_search(&name).is_ok()
        || HIJACKING_FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
}

/// Whether a variable holds a key that opens sealed files, or leads to one: no child gets it, whatever the manifest passes.
#[must_use]
pub fn opens_secrets(name: &str) -> bool {
    name.starts_with("SOPS_AGE_") || name.starts_with("DOTENV_PRIVATE_KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_searching() {
        assert!(ORDINARY.is_sorted() && HIJACKING.is_sorted());
    }

    #[test]
    fn names_that_hijack() {
        for name in [
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "BASH_ENV",
            "PATH",
            "PYTHONSTARTUP",
            "PERL5OPT",
            "RUBYOPT",
            "GIT_SSH_COMMAND",
            "JAVA_TOOL_OPTIONS",
        ] {
            assert!(hijacks(name), "{name}");
        }
        assert!(!hijacks("LDAP_URL") && !hijacks("PYTHONPATH"));
    }
}
