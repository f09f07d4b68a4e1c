//! Real programs inside the barrier, without changes: each does inside what it does outside.
//!
//! TLS, registries and terminals are in `tests/barrier`. A program that is not installed is a visible skip, unless
//! `RINGFENCE_TEST_REQUIRES` names it. Traffic stays on the loopback.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failing test panics"
)]

#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod world;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use world::{Outcome, World};

/// Whether a program is there; where it must be, that it is not is a failure.
fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status();
    let is_there = found.unwrap().success();
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        is_there || !required.split(',').any(|word| word == program),
        "{program} is required and not installed"
    );
    if !is_there {
        eprintln!("skipped: {program} is not installed");
    }
    is_there
}

fn project(files: &[(&str, &str)]) -> World {
    let world = World::new(&[
        (".env.dev", "URL=http://declared.example.test:8080\n"),
        (".env.prod", "B=1\n"),
        (".gitignore", ".env*\n"),
    ]);
    for (path, content) in files {
        world.write(path, content);
    }
    world
}

/// Runs a script inside; it must succeed, print all these words, and be refused nothing.
#[track_caller]
fn works(world: &World, script: &str, words: &[&str]) -> Outcome {
    let outcome = world.ringfence(&["run", "dev", "--", "sh", "-ec", script]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for word in words {
        assert!(outcome.stdout.contains(word), "{word}: {outcome:?}");
    }
    assert!(
        !outcome.stderr.contains("ringfence: blocked"),
        "{outcome:?}"
    );
    outcome
}

#[test]
fn git_does_its_daily_work() {
    if !installed("git") {
        return;
    }
    let world = project(&[("file", "one\n")]);
    std::fs::remove_dir_all(world.path(".git")).unwrap();
    let made = world
        .any_command("git")
        .args(["init", "-q"])
        .status()
        .unwrap();
    assert!(made.success());
    let script = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git add -A; git commit -qm one; git status --short; echo two >>file; git diff --stat; git stash -q; git stash pop -q
        git checkout -qb other; git commit -qam two; git log --oneline | wc -l; git gc -q; git fsck 2>&1 | head -n 1; echo done";
    works(&world, script, &["1 file changed", "2\n", "done"]);
}

#[test]
fn node_serves_fetches_and_has_workers() {
    if !installed("node") {
        return;
    }
    let script = r#"
        const server = require("http").createServer((_, answer) => answer.end("served"));
        server.listen(0, "127.0.0.1", async () => {
            console.log(await (await fetch("http://localhost:" + server.address().port)).text());
            console.log((await require("dns").promises.resolve4("declared.example.test"))[0]);
            const worker = new (require("worker_threads").Worker)("require('worker_threads').parentPort.postMessage('worked')", { eval: true });
            worker.on("message", (word) => { console.log(word); process.exit() });
        });
    "#;
    let world = project(&[("app.js", script)]);
    works(&world, "node app.js", &["served", "127.77.", "worked"]);
}

#[test]
fn python_has_asyncio_processes_and_its_own_environments() {
    let script = "
import asyncio, multiprocessing, socket, subprocess, sys
async def main():
    async def answer(reader, writer):
        writer.write(await reader.read(9)); writer.close()
    server = await asyncio.start_server(answer, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection('localhost', server.sockets[0].getsockname()[1])
    writer.write(b'echoed'); print((await reader.read(9)).decode())
    process = await asyncio.create_subprocess_exec('echo', 'started'); await process.wait()
def double(n): return 2 * n
if __name__ == '__main__':
    asyncio.run(main())
    with multiprocessing.Pool(4) as pool: print(sum(pool.map(double, range(10))))
    print(socket.gethostbyname('declared.example.test'))
";
    let world = project(&[("app.py", script)]);
    works(
        &world,
        "python3 app.py; python3 -m venv venv; venv/bin/python -c 'import sys; print(sys.prefix)'",
        &["echoed", "started", "90", "127.77.", "/venv"],
    );
}

#[test]
fn java_compiles_and_connects() {
    if !installed("javac") {
        return;
    }
    let source = "import java.net.*; public class App { public static void main(String[] none) throws Exception {
        ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
        new Thread(() -> { try { server.accept().getOutputStream().write(65); } catch (Exception error) {} }).start();
        System.out.println((char) new Socket(\"localhost\", server.getLocalPort()).getInputStream().read() + \" from java\");
        System.out.println(InetAddress.getByName(\"declared.example.test\").getHostAddress()); System.exit(0); } }";
    let world = project(&[("App.java", source)]);
    works(
        &world,
        "javac App.java; java App",
        &["A from java", "127.77."],
    );
}

#[test]
fn a_static_program_of_another_c_library_finds_declared_names() {
    if !installed("musl-gcc") {
        return;
    }
    let source = "#include <netdb.h>\n#include <stdio.h>\n#include <arpa/inet.h>\nint main(void) { struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
        int error = getaddrinfo(\"declared.example.test\", \"80\", &hints, &found); if (error) return 1;
        puts(inet_ntoa(((struct sockaddr_in *) found->ai_addr)->sin_addr)); return 0; }";
    let world = project(&[("app.c", source)]);
    works(&world, "musl-gcc -static app.c -o app; ./app", &["127.77."]);
}

#[test]
fn go_builds_connects_and_finds_declared_names() {
    if !installed("go") {
        return;
    }
    let source = "package main\nimport (\"fmt\"; \"io\"; \"net\"; \"net/http\"; \"net/http/httptest\")\nfunc main() {
        server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, \"served\") }))
        answer, err := http.Get(server.URL); if err != nil { panic(err) }
        body, _ := io.ReadAll(answer.Body); fmt.Println(string(body))
        found, err := net.LookupHost(\"declared.example.test\"); if err != nil { panic(err) }
        fmt.Println(found[0]) }\n";
    let world = project(&[("main.go", source), ("go.mod", "module app\n")]);
    for library in ["0", "1"] {
        works(
            &world,
            &format!(
                "export CGO_ENABLED={library} GOFLAGS=-mod=mod GOTOOLCHAIN=local; go build -o app . && ./app"
            ),
            &["served", "127.77."],
        );
    }
}

#[test]
fn a_browser_shows_the_applications_page() {
    if !installed("chromium") {
        return;
    }
    let world = project(&[(
        "index.html",
        "<body><script>document.body.textContent = 'made by ' + 'a script'</script></body>",
    )]);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let browser = "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                   --disable-component-update --disable-sync --user-data-dir=/tmp/profile --dump-dom";
    let script = format!(
        "python3 -m http.server {port} --bind 127.0.0.1 >/dev/null 2>&1 & sleep 1; {browser} http://127.0.0.1:{port}/index.html 2>/dev/null"
    );
    // It looks for hosts of its maker's, and is refused; the page comes all the same.
    let outcome = world.ringfence(&["run", "dev", "--", "sh", "-c", &script]);
    assert!(outcome.stdout.contains("made by a script"), "{outcome:?}");
    // For root it has no sandbox of its own.
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != 0 {
        let script = script.replace("--no-sandbox", "");
        let outcome = world.ringfence(&["run", "dev", "--", "sh", "-c", &script]);
        assert!(outcome.stdout.contains("made by a script"), "{outcome:?}");
    }
}

#[test]
fn tests_run_in_parallel() {
    let world = project(&[(
        "test_app.py",
        "import unittest, concurrent.futures as pools, os\nclass Test(unittest.TestCase):\n def test(self):\n  with pools.ProcessPoolExecutor(4) as pool:\n   self.assertEqual(sum(pool.map(abs, range(-8, 0))), 36)\n",
    )]);
    works(
        &world,
        "python3 -m unittest -q test_app 2>&1; echo passed",
        &["OK", "passed"],
    );
    // pytest with four processes, where the registry can be reached.
    let made = world
        .any_command("sh")
        .args([
            "-c",
            "python3 -m venv venv && venv/bin/pip install -q pytest pytest-xdist",
        ])
        .output()
        .unwrap();
    if made.status.success() {
        works(
            &world,
            "venv/bin/python -m pytest -q -n 4 test_app.py",
            &["1 passed"],
        );
    } else {
        eprintln!("skipped: pytest cannot be installed");
    }
}

#[test]
fn packages_are_installed_by_what_a_run_has_learnt() {
    let world = project(&[]);
    let install = "python3 -m venv venv; venv/bin/pip install -q --no-cache-dir six && venv/bin/python -c 'import six; print(six.__name__)'";
    let outside = world
        .any_command("sh")
        .args(["-c", &format!("{install}; rm -rf venv")])
        .output()
        .unwrap();
    if !String::from_utf8_lossy(&outside.stdout).contains("six") {
        eprintln!("skipped: the registry cannot be reached");
        return;
    }
    let learnt = world.ringfence(&[
        "run",
        "dev",
        "--learn",
        "--",
        "sh",
        "-c",
        &format!("{install}; rm -rf venv"),
    ]);
    assert!(learnt.stdout.contains("six"), "{learnt:?}");
    let lesson = learnt
        .stderr
        .split("[egress]")
        .nth(1)
        .unwrap_or_else(|| panic!("{learnt:?}"));
    world.write("ringfence.toml", format!("version = 1\n[egress]{lesson}"));
    let pasted = world.ringfence(&["run", "dev", "--", "sh", "-c", install]);
    assert!(pasted.stdout.contains("six"), "{pasted:?}");
}

/// A PostgreSQL on a free port of the loopback, ended with the test.
struct Postgres {
    server: Child,
    port: u16,
    folder: PathBuf,
}

impl Postgres {
    fn new() -> Self {
        const FOLDER: &str = "/usr/lib/postgresql/15/bin";
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = PathBuf::from(format!("/var/tmp/ringfence-test-{port}"));
        std::fs::create_dir(&folder).unwrap();
        let data = folder.join("data");
        // It refuses to be root.
        let is_root = std::os::unix::fs::MetadataExt::uid(&folder.metadata().unwrap()) == 0;
        let user: &[&str] = match is_root {
            true => &[
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ],
            false => &["env"],
        };
        if is_root {
            std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
        }
        let command = |script: &str| {
            let mut command = Command::new(user[0]);
            command.args(&user[1..]).args(["sh", "-c", script]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let (data, own) = (data.display(), folder.display());
        let make = format!("{FOLDER}/initdb -D {data} -A trust -U app --no-sync");
        assert!(command(&make).status().unwrap().success());
        let start = format!(
            "exec {FOLDER}/postgres -D {data} -h 127.0.0.1 -p {port} -k {own} -c fsync=off"
        );
        let server = command(&start).spawn().unwrap();
        let ready = format!("{FOLDER}/pg_isready -q -h 127.0.0.1 -p {port}");
        for _ in 0..1000 {
            if command(&ready).status().unwrap().success() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self {
            server,
            port,
            folder,
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn the_databases_clients_of_three_languages_work() {
    if !installed("/usr/lib/postgresql/15/bin/initdb") || !installed("psql") {
        return;
    }
    let server = Postgres::new();
    let world = project(&[]);
    let url = format!("postgres://app@127.0.0.1:{}/postgres", server.port);
    world.write(".env.dev", format!("DB_URL={url}\n"));
    let bench = "/usr/lib/postgresql/15/bin/pgbench";
    let script = format!(
        "psql $DB_URL -Atc 'select 7700 + 31'; {bench} -i -q $DB_URL 2>/dev/null; {bench} -n -S -c 8 -t 20 $DB_URL"
    );
    works(&world, &script, &["7731", "160/160"]);
    let install = |words: &str| {
        let made = world.any_command("sh").args(["-c", words]).output();
        let is_made = made.unwrap().status.success();
        if !is_made {
            eprintln!("skipped: the registry cannot be reached: {words}");
        }
        is_made
    };
    if install("python3 -m venv venv && venv/bin/pip install -q 'psycopg[binary]' requests") {
        let client = "import os, psycopg, asyncio, threading, http.server, requests
print(psycopg.connect(os.environ['DB_URL']).execute('select 7700 + 32').fetchone()[0])
async def main():
    connection = await psycopg.AsyncConnection.connect(os.environ['DB_URL'])
    print((await (await connection.execute('select 7700 + 33')).fetchone())[0])
asyncio.run(main())
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(requests.get(f'http://localhost:{server.server_port}/client.py').status_code)
";
        world.write("client.py", client);
        works(
            &world,
            "venv/bin/python client.py 2>/dev/null",
            &["7732", "7733", "200"],
        );
    }
    if installed("npm") && install("npm install --silent --no-audit --no-fund pg") {
        let client = "const { Client } = require('pg'); const client = new Client({ connectionString: process.env.DB_URL });
            client.connect().then(() => client.query('select 7700 + 34 as n')).then((found) => { console.log(found.rows[0].n); client.end(); });";
        world.write("client.js", client);
        works(&world, "node client.js", &["7734"]);
    }
}

#[test]
fn a_debugger_and_a_tracer_look_at_their_children() {
    if !installed("gdb") || !installed("strace") {
        return;
    }
    works(
        &project(&[]),
        "gdb -batch -ex run -ex quit --args sleep 0.1 2>&1; strace -c true 2>&1",
        &["exited normally", "total"],
    );
}
