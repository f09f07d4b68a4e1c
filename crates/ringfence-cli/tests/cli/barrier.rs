//! What people see of the barrier: lines, lessons, plans, policies. What it keeps out is tested in `tests/barrier`.
//!
//! Servers are on the loopback, and addresses that nobody may reach are from documentation's range (RFC 5737), so that nothing
//! leaves the machine whatever goes wrong: connections to them are refused or have no route.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::{Outcome, World, free_port};

/// A server that answers every connection with `word`, and its port.
fn server(word: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who asked may have left.
            let _ = stream.and_then(|mut stream| stream.write_all(word.as_bytes()));
        }
    });
    port
}

/// A command that reads what a port of 127.0.0.1 says.
fn ask(port: u16) -> String {
    format!("bash -c 'cat </dev/tcp/127.0.0.1/{port}' 2>&1")
}

#[test]
fn a_run_learns_what_it_needs_and_never_what_is_anothers() {
    let (own, other, free) = (server("own"), server("others"), server("free"));
    let world = World::new(&[
        (".env.dev", &format!("URL=http://127.0.0.1:{own}\n")),
        (".env.prod", &format!("URL=http://127.0.0.1:{other}\n")),
    ]);
    if !world.can_build() {
        return;
    }
    let script = [own, other, free].map(ask).join("; ");
    let closed = world.ringfence(&["run", "dev", "--", "sh", "-c", &script]);
    assert!(
        closed.stdout.contains("own")
            && !closed.stdout.contains("others")
            && !closed.stdout.contains("free"),
        "{closed:?}"
    );
    let learnt = world.ringfence(&["run", "dev", "--learn", "--", "sh", "-c", &script]);
    assert!(
        learnt.stdout.contains("own") && learnt.stdout.contains("free"),
        "{learnt:?}"
    );
    assert!(!learnt.stdout.contains("others"), "{learnt:?}");
    for line in [
        format!("ringfence: blocked localhost:{other} (belongs to prod)"),
        format!("ringfence: 1 refusal: localhost:{other} (belongs to prod)"),
        format!("[egress]\ndev = [\n  \"localhost:{free}\",\n]"),
    ] {
        assert!(learnt.stderr.contains(&line), "{line}: {}", learnt.stderr);
    }
    // What was learnt is what is needed: pasted, nothing is refused but what is another's.
    let lesson = learnt.stderr.split("[egress]").nth(1).unwrap();
    world.write("ringfence.toml", format!("version = 1\n[egress]{lesson}"));
    let pasted = world.ringfence(&["run", "dev", "--", "sh", "-c", &script]);
    assert!(
        pasted.stdout.contains("own")
            && pasted.stdout.contains("free")
            && !pasted.stdout.contains("others"),
        "{pasted:?}"
    );
    world.write("ringfence.toml", "version = 1\n[egress]\ndev = \"open\"\n");
    let open = world.ringfence(&["run", "dev", "--", "sh", "-c", &script]);
    assert!(
        open.stdout.contains("free") && !open.stdout.contains("others"),
        "{open:?}"
    );
}

#[test]
fn each_refusal_is_told_once_and_summed_up() {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (".env.prod", "DB_URL=postgres://u:p@192.0.2.7/app\n"),
    ]);
    if !world.can_build() {
        return;
    }
    let script = "for i in 1 2 3; do bash -c '</dev/tcp/192.0.2.7/5432'; bash -c '</dev/tcp/192.0.2.9/443'; getent hosts api.github.com; done 2>/dev/null; true";
    let outcome = world.ringfence(&["run", "dev", "--", "sh", "-c", script]);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{outcome:?}");
    assert!(
        lines[0].contains("192.0.2.7:5432 (belongs to prod)")
            && lines[0].contains("ringfence run prod"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("192.0.2.9:443")
            && lines[1].contains("[egress] dev = [\"192.0.2.9:443\"]"),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("api.github.com") && lines[2].contains("preset:github"),
        "{lines:?}"
    );
    assert!(
        lines[3].starts_with(
            "ringfence: 3 refusals: 192.0.2.7:5432 (belongs to prod), 192.0.2.9:443, api.github.com"
        ),
        "{lines:?}"
    );
    let machine = world.ringfence(&["run", "dev", "--json", "--", "sh", "-c", script]);
    let events: Vec<serde_json::Value> = machine
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ended = events.last().unwrap();
    assert_eq!(
        (
            ended["event"].as_str(),
            ended["refusals"].as_array().map(Vec::len)
        ),
        (Some("ended"), Some(3)),
        "{events:?}"
    );
}

#[test]
fn what_a_setting_implies_resolves_and_a_preset_that_is_none_is_refused() {
    let key = ["OPENAI_API_KEY=sk", "aaaaaaaaaaaaaaaaaaaaaaaa\n"].join("-");
    let world = World::new(&[(".env.dev", &key)]);
    if !world.can_build() {
        return;
    }
    let outcome = world.ringfence(&["run", "dev", "--", "getent", "hosts", "api.openai.com"]);
    assert!(outcome.stdout.starts_with("127.77."), "{outcome:?}");
    world.write(
        "ringfence.toml",
        "version = 1\n[egress]\ndev = [\"preset:gitub\"]\n",
    );
    let (outcome, started) = world.try_start(&["run", "dev"]);
    assert_eq!((outcome.code, started), (Some(78), false));
    assert!(
        outcome.stderr.contains("did you mean `preset:github`"),
        "{outcome:?}"
    );
}

#[test]
fn a_port_of_the_program_is_there_outside_and_gone_with_it() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    if !world.can_build() {
        return;
    }
    let port = free_port();
    let program = format!(
        "import socket\ns=socket.create_server(('127.0.0.1',{port}))\nfor _ in range(2):\n c,_=s.accept(); c.sendall(b'inside'); c.close()\n"
    );
    let mut child = world
        .command()
        .args(["run", "dev", "--", "python3", "-c", &program])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(said_by(port), "inside");
    }
    assert!(child.wait().unwrap().success());
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "nobody listens when the program has ended"
    );
    // Somebody else has the port: the program may listen all the same, and that nobody reaches it is said.
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let program = format!(
        "import socket,time\ns=socket.create_server(('127.0.0.1',{port}))\ntime.sleep(0.5)\n"
    );
    let outcome = world.ringfence(&["run", "dev", "--", "python3", "-c", &program]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains(&format!("port {port} cannot be shown outside")),
        "{outcome:?}"
    );
}

/// What a port says as soon as somebody answers there.
fn said_by(port: u16) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut said = String::new();
        let read = TcpStream::connect(("127.0.0.1", port))
            .and_then(|mut stream| stream.read_to_string(&mut said));
        if read.is_ok() && !said.is_empty() {
            return said;
        }
        assert!(Instant::now() < until, "nobody answers at {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_setting_that_names_the_programs_own_port_does_not_take_it() {
    let port = free_port();
    let world = World::new(&[(".env.dev", &format!("APP_URL=http://localhost:{port}\n"))]);
    if !world.can_build() {
        return;
    }
    let program =
        format!("import socket\nsocket.create_server(('127.0.0.1',{port}))\nprint('listens')");
    let outcome = world.ringfence(&["run", "dev", "--", "python3", "-c", &program]);
    assert_eq!(outcome.stdout, "listens\n", "{outcome:?}");
}

#[test]
fn an_agent_gets_the_whole_barrier_and_its_own_folder() {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (
            "bin/claude",
            "#!/bin/sh\necho mine >~/.claude/state && echo kept; echo x >~/note || true\n",
        ),
    ]);
    if !world.can_build() {
        return;
    }
    fs::set_permissions(world.path("bin/claude"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(world.home().join(".claude")).unwrap();
    let outcome = world.ringfence(&["run", "dev", "--", "bin/claude"]);
    assert_eq!(outcome.stdout, "kept\n", "{outcome:?}");
    assert!(
        outcome.stderr.contains("Read-only file system") && !world.home().join("note").exists(),
        "{outcome:?}"
    );
    let (outcome, started) = world.try_start(&["run", "dev", "--barrier=network-only"]);
    assert!(started, "{outcome:?}");
    let by_agent = World::new(&[(".env.dev", "A=1\n")]).var("CLAUDECODE", "1");
    let (outcome, started) = by_agent.try_start(&["run", "dev", "--barrier=network-only"]);
    assert_eq!((outcome.code, started), (Some(125), false), "{outcome:?}");
    let (outcome, started) = by_agent.try_start(&["run", "dev", "--no-barrier"]);
    assert_eq!((outcome.code, started), (Some(125), false), "{outcome:?}");
}

#[test]
fn the_home_directory_is_what_the_manifest_says() {
    let manifest =
        |home: &str| format!("version = 1\n[environments]\ndev = {{ home = \"{home}\" }}\n");
    let world = World::new(&[
        ("ringfence.toml", &manifest("private")),
        (".env.dev", "A=1\n"),
    ]);
    if !world.can_build() {
        return;
    }
    fs::write(world.home().join("notes"), "private words\n").unwrap();
    fs::create_dir_all(world.home().join(".cache")).unwrap();
    let run = |script: &str| world.ringfence(&["run", "dev", "--", "sh", "-c", script]);
    let private = run("cat ~/notes; echo x >~/made && echo written; ls -A ~");
    assert!(
        private.stdout.contains("written") && !private.stdout.contains("private words"),
        "{private:?}"
    );
    assert!(
        !world.home().join("made").exists(),
        "it is gone with the run"
    );
    world.write("ringfence.toml", manifest("read-only"));
    let read_only = run("cat ~/notes; echo x >~/made; echo x >~/.cache/made && echo cached");
    assert!(
        read_only.stdout.contains("private words") && read_only.stdout.contains("cached"),
        "{read_only:?}"
    );
    assert!(!world.home().join("made").exists() && world.home().join(".cache/made").exists());
    world.write("ringfence.toml", manifest("guarded"));
    assert!(run("echo x >~/made && cat ~/made").stdout.contains('x'));
    assert!(world.home().join("made").exists());
}

#[test]
fn what_is_passed_or_named_is_shown_and_its_neighbours_are_not() {
    let world = World::new(&[(
        "ringfence.toml",
        "version = 1\npass = [\"SSH_AUTH_SOCK\"]\n",
    )]);
    if !world.can_build() {
        return;
    }
    let kube = world.home().join(".kube");
    fs::create_dir(&kube).unwrap();
    fs::write(kube.join("dev"), "of dev\n").unwrap();
    fs::write(kube.join("config"), "of all\n").unwrap();
    world.write(
        ".env.dev",
        format!("KUBECONFIG={}\n", kube.join("dev").display()),
    );
    let outcome = world.ringfence(&[
        "run",
        "dev",
        "--",
        "sh",
        "-c",
        "cat $KUBECONFIG; cat ~/.kube/config",
    ]);
    assert_eq!(outcome.stdout, "of dev\n", "{outcome:?}");
    assert!(outcome.stderr.contains("Permission denied"), "{outcome:?}");
    let socket = world.temporary().join("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        listener
            .incoming()
            .for_each(|stream| drop(stream.unwrap().write_all(b"agent\n")));
    });
    let world = world.var("SSH_AUTH_SOCK", socket.to_str().unwrap());
    let read = "import os,socket\ns=socket.socket(socket.AF_UNIX)\ns.connect(os.environ['SSH_AUTH_SOCK'])\nprint(s.recv(9).decode())";
    let outcome = world.ringfence(&["run", "dev", "--", "python3", "-c", read]);
    assert!(outcome.stdout.contains("agent"), "{outcome:?}");
    world.write("ringfence.toml", "version = 1\n");
    let outcome = world.ringfence(&["run", "dev", "--", "test", "-e", socket.to_str().unwrap()]);
    assert_eq!(
        outcome.code,
        Some(1),
        "what is not passed is not there: {outcome:?}"
    );
}

#[test]
fn a_socket_that_a_setting_names_is_reached_at_its_path() {
    let world = World::new(&[]);
    if !world.can_build() {
        return;
    }
    let socket = world.temporary().join("db.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        listener
            .incoming()
            .for_each(|stream| drop(stream.unwrap().write_all(b"database\n")));
    });
    world.write(".env.dev", format!("DB_SOCKET={}\n", socket.display()));
    let read = "import os,socket\ns=socket.socket(socket.AF_UNIX)\ns.connect(os.environ['DB_SOCKET'])\nprint(s.recv(9).decode())";
    let outcome = world.ringfence(&["run", "dev", "--", "python3", "-c", read]);
    assert!(outcome.stdout.contains("database"), "{outcome:?}");
}

#[test]
fn the_programs_end_is_ours() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    let run = |words: &[&str]| world.ringfence(&[&["run", "dev", "--"], words].concat());
    let end = |outcome: &Outcome| (outcome.code, outcome.signal);
    assert_eq!(end(&run(&["sh", "-c", "exit 7"])), (Some(7), None));
    assert_eq!(end(&run(&["sh", "-c", "kill -TERM $$"])), (None, Some(15)));
    assert_eq!(end(&run(&["no-such-program"])), (Some(127), None));
    assert_eq!(end(&run(&["/etc/passwd"])), (Some(126), None));
}

/// What one run prepares for the next, and what the next then prints.
fn in_two_runs(world: &World, first: &str, second: &str) -> Outcome {
    let _ = world.ringfence(&["run", "dev", "--", "sh", "-c", first]);
    world.ringfence(&["run", "dev", "--", "sh", "-c", second])
}

/// A project with something to steal.
fn treasury() -> World {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (".env.prod", "KEY=canary\n"),
        ("secrets/prod.json", "{\"key\": \"canary\"}\n"),
        (".git/hooks/pre-commit", "#!/bin/sh\n"),
        (".git/config", "[core]\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
    ]);
    fs::create_dir_all(world.home().join(".aws")).unwrap();
    fs::write(world.home().join(".aws/credentials"), "canary\n").unwrap();
    fs::write(world.home().join(".bashrc"), "true\n").unwrap();
    world
}

#[test]
fn the_rules_cannot_be_written_for_the_next_run() {
    let world = treasury();
    if !world.can_build() {
        return;
    }
    let steal = "cat secrets/prod.json ~/.aws/credentials .env.prod 2>&1";
    for prepare in [
        "echo 'B=./secrets/prod.json' >>.env.dev; echo 'C=~/.aws/credentials' >>.env.dev",
        "echo 'B=./secrets/prod.json' >.env.local; echo 'C=~/.aws/credentials' >>.env.local",
        "ln -s .env.prod .env.dev.local",
        "echo 'HOME=/nowhere' >.env",
        "chmod 000 secrets ~/.aws",
        "mkdir envs; ln -s /run envs/prod.env",
        "mkdir -p many; cd many; seq 5000 | xargs touch",
    ] {
        let steal = format!("chmod 755 secrets ~/.aws 2>/dev/null; echo $KEY; {steal}");
        let outcome = in_two_runs(&world, prepare, &steal);
        assert!(!outcome.stdout.contains("canary"), "{prepare}: {outcome:?}");
        assert!(
            !outcome.stderr.contains("network-only"),
            "{prepare}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_protected_cannot_be_moved_with_its_folder() {
    let world = treasury();
    if !world.can_build() {
        return;
    }
    for prepare in ["chmod 555 .", "chmod 000 .git", "true"] {
        let attack = "chmod 755 . .git; mv .git .git2; mkdir -p .git/hooks; echo evil >.git/hooks/pre-commit; echo evil >.git/commondir";
        let _ = in_two_runs(&world, prepare, attack);
        let hook = fs::read_to_string(world.path(".git/hooks/pre-commit"));
        assert_eq!(hook.ok().as_deref(), Some("#!/bin/sh\n"), "{prepare}");
        assert!(!world.path(".git/commondir").exists(), "{prepare}");
    }
}

#[test]
fn setting_aside_harms_nobody_and_does_not_tire() {
    let world = treasury();
    if !world.can_build() {
        return;
    }
    let victim = world.project().parent().unwrap().join("victim");
    fs::create_dir_all(victim.join("bin")).unwrap();
    fs::create_dir_all(victim.join("systemd/user")).unwrap();
    let link = format!(
        "ln -s {} ~/.local; ln -s {} ~/.config",
        victim.display(),
        victim.display()
    );
    let _ = world.ringfence(&["run", "dev", "--", "sh", "-c", &link]);
    assert!(
        victim.join("bin").exists() && victim.join("systemd/user").exists(),
        "what a link leads to is not touched"
    );
    assert!(
        !world.home().join(".config/systemd").exists(),
        "and is not obeyed"
    );
    let fill = "for n in '' $(seq -f -%.0f 1 120); do echo x >~/.zshrc.set-aside-by-ringfence$n; done; for n in 1 2 3; do echo evil >~/.zshrc; sleep 0.1; done";
    let outcome = world.ringfence(&["run", "dev", "--", "sh", "-c", fill]);
    assert!(!world.home().join(".zshrc").exists(), "{outcome:?}");
    assert!(
        outcome.stderr.contains(".zshrc was made during the run"),
        "{outcome:?}"
    );
}

#[test]
fn a_port_where_another_environment_looks_is_not_shown() {
    let port = free_port();
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (
            ".env.prod",
            &format!("DB_URL=postgres://u:p@127.0.0.1:{port}/app\n"),
        ),
    ]);
    if !world.can_build() {
        return;
    }
    let program = format!(
        "import socket,time\ns=socket.create_server(('127.0.0.1',{port}))\ntime.sleep(0.5)\n"
    );
    let mut child = world
        .command()
        .args(["run", "dev", "--", "python3", "-c", &program])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    stderr.read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(said.contains("where `prod` looks for its own"), "{said}");
}

#[test]
fn rules_inside_a_project_do_not_replace_its_own() {
    let world = World::new(&[
        ("ringfence.toml", "version = 1\n"),
        (".env.dev", "A=1\n"),
        (".env.prod", "KEY=canary\n"),
        (
            "web/ringfence.toml",
            "version = 1\n[environments]\ndev = { barrier = \"off\" }\n",
        ),
        ("web/.env.dev", "A=2\n"),
    ])
    .below("web");
    let (outcome, started) = world.try_start(&["run", "dev"]);
    assert_eq!((outcome.code, started), (Some(78), false), "{outcome:?}");
    assert!(
        outcome.stderr.contains("inside the project of"),
        "{outcome:?}"
    );
}

#[test]
fn without_a_variable_for_it_the_home_directory_is_known_all_the_same() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    let mut command = world.command();
    let explained = command
        .env_remove("HOME")
        .args(["run", "dev", "--explain"])
        .output()
        .unwrap();
    let page = Outcome::of(&explained).stdout;
    assert!(page.contains("/.aws") && page.contains("guarded"), "{page}");
}

/// A kernel sends what a program that has ended had still to send; so does a run.
#[test]
fn what_was_sent_at_the_last_moment_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::new(&[(".env.dev", &format!("URL=http://127.0.0.1:{port}\n"))]);
    if !world.can_build() {
        return;
    }
    for round in 0..10 {
        let size = if round % 2 == 0 { 5 } else { 500_000 };
        let program = format!(
            "import os,socket\ns=socket.create_connection(('127.0.0.1',{port}))\ns.sendall(b'x'*{size})\nos._exit(0)"
        );
        let mut child = world
            .command()
            .args(["run", "dev", "--", "python3", "-c", &program])
            .spawn()
            .unwrap();
        let mut stream = accepted(&listener);
        // Nobody reads before the program has ended.
        std::thread::sleep(Duration::from_millis(100));
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        assert_eq!(said.len(), size, "round {round}");
        assert!(child.wait().unwrap().success());
    }
}

/// The next connection, and not for ever.
fn accepted(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            return stream;
        }
        assert!(Instant::now() < until, "nobody connected");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_answered_at_the_last_moment_arrives() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    if !world.can_build() {
        return;
    }
    for _ in 0..5 {
        let port = free_port();
        let program = format!(
            "import os,socket\ns=socket.create_server(('127.0.0.1',{port}))\nc,_=s.accept(); c.sendall(b'x'*300000); os._exit(0)"
        );
        let mut child = world
            .command()
            .args(["run", "dev", "--", "python3", "-c", &program])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(said_by(port).len(), 300_000);
        assert!(child.wait().unwrap().success());
    }
}
