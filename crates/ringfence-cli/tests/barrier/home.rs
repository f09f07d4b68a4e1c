//! What is left of the caller's own: home and environment block.

use crate::ground::scenario;
use crate::scene::SECRET;

const DENIED: &[&str] = &["Permission denied", "No such file"];
const READ_ONLY: &[&str] = &["Read-only file system", "Permission denied"];

/// Scenario 15: credentials in the home.
#[test]
fn s15_credentials_in_the_home_are_denied() {
    scenario(&[], |scene| {
        for path in [
            ".aws/credentials",
            ".kube/config",
            ".pgpass",
            ".ssh/id_ed25519",
            ".netrc",
            ".docker/config.json",
        ] {
            scene.hidden(&format!("cat ~/{path}"), DENIED);
        }
        scene.shows_nothing(
            "ln ~/.netrc x; cat x; mv ~/.aws y; cat y/*; mv ~/.netrc z; cat z",
            DENIED,
        );
    });
}

/// Scenario 17: nothing that runs later outside can be written.
#[test]
fn s17_start_up_files_are_read_only() {
    scenario(&[], |scene| {
        for path in [".bashrc", ".profile", ".config/systemd/user/mine.service"] {
            scene.repelled(&format!("echo '# plain' >> ~/{path}"), &READ_ONLY[..1]);
            let moved = format!("cp ~/{path} ~/n && echo inside >> ~/n && mv ~/n ~/{path}");
            scene
                .inside(&moved)
                .failed(&["Read-only file system", "busy", "Permission denied"]);
        }
        for path in [".config/systemd/user/x.service", ".ssh/authorized_keys"] {
            scene.repelled(&format!("echo '# plain' > ~/{path}"), READ_ONLY);
        }
        let above = "mv ~/.config ~/.c; mkdir -p ~/.config/systemd/user; echo inside >~/.config/systemd/user/mine.service";
        let _ = scene.inside(above);
        for path in [
            ".bashrc",
            ".profile",
            ".config/systemd/user/mine.service",
            ".config/systemd/user/x.service",
        ] {
            let text = scene.read(&format!("../home/{path}"));
            assert!(
                text.contains("# plain") && !text.contains("inside"),
                "{path}: {text}"
            );
        }
    });
}

/// Start-up files that do not exist yet cannot be made either: a shell would read them outside.
#[test]
fn s17_start_up_files_cannot_be_made() {
    scenario(&[], |scene| {
        for path in [
            ".bash_profile",
            ".zshrc",
            ".zshenv",
            ".gitconfig",
            ".config/autostart/x.desktop",
        ] {
            let script = format!("mkdir -p $(dirname ~/{path}); echo inside >~/{path}");
            scene.plain(&format!("{script} && rm ~/{path}")).succeeded();
            let _ = scene.inside(&script);
            assert!(
                !scene.path("../home").join(path).exists(),
                "{path} is there outside"
            );
        }
    });
}

/// Nor through a link: what it leads to would be run just as well.
#[test]
fn s17_a_link_makes_no_start_up_file() {
    scenario(&[], |scene| {
        let script = "mkdir -p ~/mine/git; echo '[core]' >~/mine/git/config; cp -r ~/.config/. ~/mine 2>/dev/null; \
                      mkdir -p ~/mine/fish; echo inside >~/mine/fish/config.fish; ln -s ~/mine ~/.cfg; \
                      mkdir -p ~/.local; ln -s ~/mine ~/.local/share; mkdir -p ~/mine/systemd/user; echo inside >~/mine/systemd/user/x.service";
        let _ = scene.inside(script);
        for path in [
            ".local/share/systemd/user/x.service",
            ".config/fish/config.fish",
        ] {
            assert!(
                !scene.path("../home").join(path).exists(),
                "{path} is there outside"
            );
        }
    });
}

/// Scenario 18: nothing of the caller's block but what is allowed.
#[test]
fn s18_the_callers_variables_are_not_there() {
    scenario(&[], |scene| {
        let names = [
            "PROD_URL",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_AUTH_SOCK",
            "KUBECONFIG",
            "DBUS_SESSION_BUS_ADDRESS",
        ];
        let exports: String = names
            .iter()
            .map(|name| format!("export {name}={SECRET}; "))
            .collect();
        let control = scene.plain(&format!("{exports} env"));
        let start = format!("{exports} exec {} run dev -- sh -c", crate::scene::BINARY);
        let outcome = scene
            .plain(&format!(
                "{start} 'env; tr \"\\0\" \"\\n\" </proc/self/environ'"
            ))
            .succeeded();
        assert!(
            outcome.stdout.contains("RINGFENCE_ENVIRONMENT=dev"),
            "{outcome:?}"
        );
        for name in names {
            assert!(
                control.stdout.contains(&format!("{name}={SECRET}")),
                "{control:?}"
            );
            assert!(!outcome.stdout.contains(name), "{name}: {outcome:?}");
        }
        let above = scene.plain(&format!("{start} 'cat /proc/$PPID/environ /proc/1/environ /proc/[0-9]*/environ | tr \"\\0\" \"\\n\"'"));
        assert!(!above.stdout.contains(SECRET), "{above:?}");
    });
}
