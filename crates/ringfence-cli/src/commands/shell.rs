//! `ringfence shell`: the user's shell inside an environment, with the environment in prompt and title.
//!
//! The shell reads the user's own start-up files first; then a few lines of ours, from a
//! file without a name, put back settings that the start-up files changed, set the prompt, and give the title back at
//! the end. Nothing is left behind.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use ringfence_model::tier::Tier;

use crate::ambient::{self, Ambient};
use crate::args;
use crate::barrier::Handed;
use crate::commands::start::{self, Command, Start};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    arguments: &args::Shell,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let mut start = match arguments.wall.explain {
        true => start::prepare_to_explain(&arguments.selection, ambient, output)?,
        false => start::prepare(&arguments.selection, ambient, output)?,
    };
    let shell = ambient.shell();
    let name = Path::new(&shell)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    start.block.variables.insert("SHELL".into(), shell.clone());
    let (start, command) = match name.as_str() {
        "bash" => bash(start, ambient, shell)?,
        "zsh" => zsh(start, ambient, shell),
        "fish" => {
            let words = vec!["--init-command".into(), fish_script(&start).into()];
            (start, Command::new(shell, words))
        }
        _ => {
            // The POSIX shell takes its prompt from the block.
            let prompt = format!("{} $ ", label(&start));
            start.block.variables.insert("PS1".into(), prompt.into());
            (start, Command::new(shell, vec!["-i".into()]))
        }
    };
    start.execute(&command, &arguments.wall, ambient, output)
}

fn bash(start: Start, ambient: &Ambient, shell: OsString) -> Result<(Start, Command), Failure> {
    let file = ambient::inherited_file(&ambient.temporary_folder(), &bash_script(&start));
    let (descriptor, path) = file.map_err(|error| start::not_handed(&error))?;
    let words = vec!["--rcfile".into(), path.into(), "-i".into()];
    let mut command = Command::new(shell, words);
    command.kept = Some(descriptor);
    Ok((start, command))
}

fn zsh(start: Start, ambient: &Ambient, shell: OsString) -> (Start, Command) {
    let original = ambient.host.get("ZDOTDIR").map(OsStr::to_owned);
    let script = zsh_script(&start, original.as_deref());
    let mut command = Command::new(shell, vec!["-i".into()]);
    command.handed = Some(Handed {
        variable: "ZDOTDIR",
        file: ".zshenv",
        outside: format!("command rm -rf -- \"$ZDOTDIR\"\n{script}"),
        inside: script,
    });
    (start, command)
}

/// `[dev]`, as the prompt and the title show it.
fn label(start: &Start) -> String {
    format!("[{}]", start.name)
}

/// The title: the environment first, because tabs are cut off at the end.
fn title(start: &Start) -> String {
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    format!("{} {}", label(start), plain(&start.project))
}

/// The colour of the label: production is loud.
const fn colour(tier: Tier) -> &'static str {
    match tier {
        Tier::Development | Tier::Testing => "32",
        Tier::Staging => "33",
        Tier::Production => "1;37;41",
    }
}

/// Settings whose names a shell can hold.
fn shell_names(start: &Start) -> impl Iterator<Item = &str> {
    start
        .settings
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains('.'))
}

/// A word that a POSIX shell, zsh and fish read as `text`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn names(start: &Start) -> String {
    shell_names(start).collect::<Vec<_>>().join(" ")
}

fn bash_script(start: &Start) -> String {
    let (label, title, environment) = (
        quoted(&label(start)),
        quoted(&title(start)),
        quoted(&start.name),
    );
    let (names, colour) = (names(start), colour(start.tier));
    format!(
        r#"__ringfence_label={label} __ringfence_title={title} __ringfence_changed=
for __ringfence_name in {names}; do printf -v "__ringfence_kept_$__ringfence_name" %s "${{!__ringfence_name}}"; done
[ -f ~/.bashrc ] && . ~/.bashrc
for __ringfence_name in {names}; do
  __ringfence_kept="__ringfence_kept_$__ringfence_name"
  if [ "${{!__ringfence_name}}" != "${{!__ringfence_kept}}" ]; then
    export "$__ringfence_name=${{!__ringfence_kept}}"
    __ringfence_changed="$__ringfence_changed $__ringfence_name"
  fi
  unset "$__ringfence_kept"
done
if [ -n "$__ringfence_changed" ]; then
  printf 'ringfence: start-up files tried to change%s; %s keeps its own\n' "$__ringfence_changed" {environment} >&2
fi
unset __ringfence_name __ringfence_kept __ringfence_changed
__ringfence_prompt() {{
  case $PS1 in
    *"$__ringfence_label"*) ;;
    *) PS1='\[\e[{colour}m\]'"$__ringfence_label"'\[\e[0m\] '"$PS1"'\[\e]0;'"$__ringfence_title"'\a\]' ;;
  esac
}}
PROMPT_COMMAND="${{PROMPT_COMMAND:+$PROMPT_COMMAND
}}__ringfence_prompt"
if [ -t 2 ]; then
  printf '\e[22;0t' >&2
  trap 'printf "\e[23;0t" >&2' EXIT
fi
"#
    )
}

fn zsh_script(start: &Start, original: Option<&OsStr>) -> String {
    let (label, title, environment) = (
        quoted(&label(start)),
        quoted(&title(start)),
        quoted(&start.name),
    );
    let (names, colour) = (names(start), colour(start.tier));
    let restore = match original {
        Some(folder) => format!("ZDOTDIR={}", quoted(&folder.to_string_lossy())),
        None => "unset ZDOTDIR".to_owned(),
    };
    format!(
        r#"{restore}
__ringfence_label={label} __ringfence_title={title}
typeset -A __ringfence_kept
for __ringfence_name in {names}; do __ringfence_kept[$__ringfence_name]=${{(P)__ringfence_name}}; done
__ringfence_prompt() {{
  [[ $PROMPT == *"$__ringfence_label"* ]] || PROMPT="%{{"$'\e'"[{colour}m%}}$__ringfence_label%{{"$'\e'"[0m%}} $PROMPT%{{"$'\e'"]0;$__ringfence_title"$'\a'"%}}"
}}
__ringfence_begin() {{
  local name changed
  for name in ${{(k)__ringfence_kept}}; do
    if [[ ${{(P)name}} != "$__ringfence_kept[$name]" ]]; then
      export "$name=$__ringfence_kept[$name]"
      changed="$changed $name"
    fi
  done
  [[ -n $changed ]] && print -u2 "ringfence: start-up files tried to change$changed; "{environment}" keeps its own"
  unset __ringfence_kept __ringfence_name
  add-zsh-hook -d precmd __ringfence_begin
  add-zsh-hook precmd __ringfence_prompt
  __ringfence_prompt
}}
__ringfence_end() {{ [[ -t 2 ]] && print -nu2 '\e[23;0t' }}
autoload -Uz add-zsh-hook
add-zsh-hook precmd __ringfence_begin
add-zsh-hook zshexit __ringfence_end
[[ -t 2 ]] && print -nu2 '\e[22;0t'
[[ -f ${{ZDOTDIR:-$HOME}}/.zshenv ]] && . ${{ZDOTDIR:-$HOME}}/.zshenv
"#
    )
}

fn fish_script(start: &Start) -> String {
    let (label, title, environment) = (
        quoted(&label(start)),
        quoted(&title(start)),
        quoted(&start.name),
    );
    let (names, colour) = (
        names(start),
        if start.tier == Tier::Production {
            "--background red white"
        } else {
            "green"
        },
    );
    format!(
        r#"set -l changed
for name in {names}
    for pair in (string split0 </proc/$fish_pid/environ 2>/dev/null)
        set -l own (string split --max 1 = -- $pair)
        if test "$own[1]" = $name; and test "$own[2]" != "$$name"
            set -gx $name $own[2]
            set -a changed $name
        end
    end
end
if test -n "$changed"
    echo "ringfence: start-up files tried to change $changed; "{environment}" keeps its own" >&2
end
functions -q __ringfence_fish_prompt; or functions -c fish_prompt __ringfence_fish_prompt
function fish_prompt
    set_color {colour}
    echo -n {label}
    set_color normal
    echo -n ' '
    __ringfence_fish_prompt
end
function fish_title
    echo {title}
end
"#
    )
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quoted_word_cannot_be_left() {
        assert_eq!(quoted("it's; rm -rf $(x)"), r"'it'\''s; rm -rf $(x)'");
    }
}
