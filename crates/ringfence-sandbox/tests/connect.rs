//! Real programs under the filters, and the supervisor that answers their `connect`.
//!
//! Each test starts this binary again, as [`child`], which installs the filter and becomes the program.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests start programs, hand them their block, and may panic"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringfence_sandbox::connect::{Decision, Policy, Wanted, hand_over, receive, serve};
use ringfence_sandbox::filter::{Architecture, Filter, program};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

const PYTHON: &str = "/usr/bin/python3";

/// What the scripts share.
const PRELUDE: &str = "
import asyncio, ctypes, errno, fcntl, mmap, os, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def error(act, *arguments):
    try:
        act(*arguments)
        return 'ok'
    except OSError as e:
        return errno.errorcode.get(e.errno, repr(e))
def inet(port, host='127.0.0.1'):
    return struct.pack('=H', socket.AF_INET) + struct.pack('!H', port) + socket.inet_aton(host) + bytes(8)
def raw(fd, address):
    return 'ok' if libc.connect(fd, bytes(address), len(address)) == 0 else errno.errorcode[ctypes.get_errno()]
";

/// Not a test of its own: the one who installs the filter and becomes the program.
#[test]
fn child() {
    let (Ok(filter), Ok(command)) = (std::env::var("RF_FILTER"), std::env::var("RF_COMMAND"))
    else {
        return;
    };
    rustix::thread::set_no_new_privs(true).unwrap();
    let architecture = Architecture::current().unwrap();
    match filter.as_str() {
        "full" => ringfence_sandbox::install(&program(architecture, Filter::Full)).unwrap(),
        "supervised" => hand_over(
            &program(architecture, Filter::Supervised),
            std::io::stdin().as_fd(),
        )
        .unwrap(),
        _ => hand_over(
            &program(architecture, Filter::NetworkOnly),
            std::io::stdin().as_fd(),
        )
        .unwrap(),
    }
    let words: Vec<&str> = command.split('\u{1f}').collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .env_remove("RF_FILTER")
        .env_remove("RF_COMMAND");
    panic!("{}", command.exec());
}

/// What a program did, and what it asked for.
struct Run {
    output: Output,
    asked: Vec<Wanted>,
}

impl Run {
    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// The script's lines, without the test harness's.
    #[track_caller]
    fn says(&self, expected: &str) {
        let stdout = self.stdout();
        let said: Vec<&str> = stdout
            .lines()
            .filter_map(|line| line.split_once("> ").map(|(_, said)| said))
            .collect();
        let stderr = String::from_utf8_lossy(&self.output.stderr);
        assert_eq!(
            said,
            expected.split('|').collect::<Vec<_>>(),
            "{stdout}{stderr}{:?}",
            self.asked
        );
    }
}

/// The command that becomes `words` under a filter; `before` runs first, such as `unshare`.
fn under(filter: &str, before: &[&str], words: &[&str]) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut all: Vec<&str> = before.to_vec();
    all.push(exe.to_str().unwrap());
    all.extend(["--exact", "child", "--nocapture", "--test-threads=1"]);
    let mut command = Command::new(all[0]);
    command
        .args(&all[1..])
        .env("RF_FILTER", filter)
        .env("RF_COMMAND", words.join("\u{1f}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn supervise_from(filter: &str, before: &[&str], words: &[&str], policy: impl Policy) -> Run {
    // As the supervisor must be, lest its callers trace it; it may still trace them.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let child = under(filter, before, words).stdin(theirs).spawn().unwrap();
    let listener = receive(ours.as_fd()).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let decide = move |wanted: &Wanted| {
        log.lock().unwrap().push(wanted.clone());
        policy.decide(wanted)
    };
    let output = std::thread::spawn(move || child.wait_with_output().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(90), serve(listener, decide))
            .await
            .expect("it ends")
            .unwrap();
    });
    let output = output.join().unwrap();
    let asked = asked.lock().unwrap().clone();
    Run { output, asked }
}

fn supervise(words: &[&str], policy: impl Policy) -> Run {
    supervise_from("network-only", &[], words, policy)
}

/// Runs a script without namespaces; `>` lines are what it says. Its arguments are `arguments`.
fn script(text: &str, arguments: &[String], policy: impl Policy) -> Run {
    let text = format!("{PRELUDE}\nsay = lambda *x: print('>', *x, flush=True)\n{text}");
    let mut words = vec![PYTHON, "-c", &text];
    words.extend(arguments.iter().map(String::as_str));
    supervise(&words, policy)
}

/// The same in a network namespace of its own, whose loopback device is up.
fn inside(text: &str, arguments: &[String], policy: impl Policy) -> Option<Run> {
    if !Command::new("unshare")
        .args(["-Urn", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        assert!(
            std::env::var_os("RINGFENCE_REQUIRE_NAMESPACES").is_none(),
            "this machine must have namespaces"
        );
        return None;
    }
    let up = "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x49))";
    let text = format!("{PRELUDE}\nsay = lambda *x: print('>', *x, flush=True)\n{up}\n{text}");
    let mut words = vec![PYTHON, "-c", &text];
    words.extend(arguments.iter().map(String::as_str));
    Some(supervise_from(
        "supervised",
        &["unshare", "-Urn"],
        &words,
        policy,
    ))
}

fn allow(wanted: &Wanted) -> Decision {
    match wanted {
        Wanted::Stream(address) => Decision::Connect(vec![*address]),
        _ => Decision::Refuse(libc::ECONNREFUSED),
    }
}

/// A server on the loopback address that answers each connection with `greeting`, after having read something if `listens`.
struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    fn new(listens: bool, greeting: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 4096).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut stream = stream.unwrap();
                let mut answer = move || {
                    if listens {
                        let _ = stream.read(&mut [0; 4096]);
                    }
                    let _ = stream.write_all(greeting.as_bytes());
                };
                if listens {
                    std::thread::spawn(answer);
                } else {
                    answer();
                }
            }
        });
        Self { address, accepted }
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A listener whose queue is full, so that connecting to it lasts; and what fills it.
fn black_hole() -> (SocketAddr, Vec<std::net::TcpStream>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut full = Vec::new();
    while let Ok(stream) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300))
    {
        full.push(stream);
    }
    (address, full, listener)
}

#[test]
fn allowed() {
    let server = Server::new(false, "hello");
    let run = script(
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
say(s.recv(9).decode(), s.getpeername()[1] == int(sys.argv[1]))",
        &[server.port()],
        allow,
    );
    run.says("hello True");
    assert_eq!(run.asked, [Wanted::Stream(server.address)]);
}

#[test]
fn addresses_are_given_as_the_kernel_takes_them() {
    let run = script(
        "s = socket.socket(socket.AF_INET6)
say(error(s.connect, ('::ffff:0.0.0.0', 5)), error(s.connect, ('::', 6)), error(s.connect, ('2001:db8::1', 7, 0, 9)))
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
say(error(s.connect, ('::ffff:127.0.0.1', 8)))
s = socket.socket()
say(error(s.connect, ('0.0.0.0', 9)), raw(s.fileno(), inet(1)[:15]), raw(s.fileno(), b'\\2'), raw(s.fileno(), b''))
say(raw(s.fileno(), struct.pack('=H', socket.AF_INET6) + bytes(26)), raw(999, inet(1)), raw(1, inet(1)))
say(libc.connect(s.fileno(), ctypes.c_void_p(8), 16), errno.errorcode[ctypes.get_errno()])
say(libc.connect(s.fileno(), ctypes.c_void_p(8), 129), errno.errorcode[ctypes.get_errno()])
say(libc.connect(s.fileno(), ctypes.c_void_p(8), -1), errno.errorcode[ctypes.get_errno()])",
        &[],
        |_: &Wanted| Decision::Refuse(libc::EHOSTUNREACH),
    );
    run.says(
        "EHOSTUNREACH EHOSTUNREACH EHOSTUNREACH|ENETUNREACH|EHOSTUNREACH EINVAL EINVAL EINVAL|\
         EAFNOSUPPORT EBADF ENOTSOCK|-1 EFAULT|-1 EINVAL|-1 EINVAL",
    );
    let text: Vec<String> = run
        .asked
        .iter()
        .map(|wanted| format!("{wanted:?}"))
        .collect();
    assert_eq!(
        text,
        [
            "Stream(127.0.0.1:5)",
            "Stream([::1]:6)",
            "Stream([2001:db8::1%9]:7)",
            "Stream(127.0.0.1:9)"
        ]
    );
}

#[test]
fn options_and_flags_are_carried_over() {
    let server = Server::new(false, "hello");
    let run = script(
        "def state(s):
    o = lambda *x: s.getsockopt(*x)
    S, T = socket.SOL_SOCKET, socket.IPPROTO_TCP
    return (o(S, socket.SO_KEEPALIVE), o(T, socket.TCP_NODELAY), o(T, socket.TCP_KEEPIDLE), o(T, socket.TCP_USER_TIMEOUT),
        o(S, socket.SO_RCVBUF), o(S, socket.SO_SNDBUF), o(S, socket.SO_LINGER, 8), o(S, socket.SO_RCVTIMEO, 16), o(0, 1),
        fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD))
for inherited in True, False:
    plain, s = socket.socket(), socket.socket()
    for t in plain, s: t.set_inheritable(inherited)
    S, T = socket.SOL_SOCKET, socket.IPPROTO_TCP
    for l, n, v in [(S, socket.SO_KEEPALIVE, 1), (T, socket.TCP_NODELAY, 1), (T, socket.TCP_KEEPIDLE, 77), (T, socket.TCP_USER_TIMEOUT, 9999),
        (S, socket.SO_RCVBUF, 50000), (S, socket.SO_SNDBUF, 60000), (S, socket.SO_LINGER, struct.pack('ii', 1, 3)), (S, socket.SO_RCVTIMEO, struct.pack('ll', 4, 0)), (0, 1, 16)]:
        s.setsockopt(l, n, v)
    before = state(s)
    for t in plain, s: t.connect(('127.0.0.1', int(sys.argv[1])))
    say(state(s) == before, state(plain)[0:4], s.get_inheritable() == inherited, state(s)[9] & os.O_NONBLOCK, s.recv(9).decode())
s = socket.socket()
s.setblocking(False)
s.connect_ex(('127.0.0.1', int(sys.argv[1])))
say(bool(state(s)[9] & os.O_NONBLOCK))",
        &[server.port()],
        allow,
    );
    run.says("True (0, 0, 7200, 0) True 0 hello|True (0, 0, 7200, 0) True 0 hello|True");
}

#[test]
fn redirected() {
    let server = Server::new(false, "hello");
    let (to, nowhere) = (server.address, closed_port());
    let run = script(
        "for family, host in (socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '::ffff:192.0.2.1'), (socket.AF_INET6, '2001:db8::5'):
    s = socket.socket(family)
    s.connect((host, 5432))
    say(s.recv(9).decode(), s.getpeername()[0], s.family.name)",
        &[],
        move |_: &Wanted| Decision::Connect(vec![nowhere, to]),
    );
    run.says(
        "hello 127.0.0.1 AF_INET|hello ::ffff:127.0.0.1 AF_INET6|hello ::ffff:127.0.0.1 AF_INET6",
    );
    assert_eq!(server.accepted(), 3);
}

#[test]
fn refused() {
    let nowhere = closed_port();
    let run = script(
        "for host in ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6']:
    s = socket.socket()
    say(error(s.connect, (host, 1)), error(s.getpeername))",
        &[],
        move |wanted: &Wanted| match wanted {
            Wanted::Stream(address) => match address.ip().to_string().as_str() {
                "192.0.2.1" => Decision::Refuse(libc::ENETUNREACH),
                "192.0.2.2" => Decision::Connect(vec![nowhere]),
                "192.0.2.3" => Decision::Connect(Vec::new()),
                "192.0.2.4" => Decision::Refuse(-5),
                "192.0.2.5" => Decision::Inside,
                _ => Decision::ConnectUnix(PathBuf::from("/nowhere/at/all")),
            },
            _ => Decision::Inside,
        },
    );
    run.says(
        "ENETUNREACH ENOTCONN|ECONNREFUSED ENOTCONN|ECONNREFUSED ENOTCONN|EACCES ENOTCONN|EACCES ENOTCONN|ENOENT ENOTCONN",
    );
}

#[test]
fn non_blocking() {
    let (server, nowhere) = (Server::new(false, "hello"), closed_port());
    let run = script(
        "import select
def begin(port):
    s = socket.socket()
    s.setblocking(False)
    first = errno.errorcode.get(s.connect_ex(('127.0.0.1', int(port))), 0)
    select.select([], [s], [])
    return s, first
s, first = begin(sys.argv[1])
say(first in ('EINPROGRESS', 0), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s, first = begin(sys.argv[1])
again = [errno.errorcode.get(s.connect_ex(('127.0.0.1', int(sys.argv[1]))), 0) for _ in range(3)]
say(*again) if first else say(0, *again[1:])
s, first = begin(sys.argv[2])
say(first, errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
s, first = begin(sys.argv[2])
say(first, errno.errorcode[s.connect_ex(('127.0.0.1', int(sys.argv[1])))], s.connect_ex(('127.0.0.1', int(sys.argv[1]))) in (0, errno.EINPROGRESS))
async def main():
    r, w = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))
    say((await r.read(9)).decode())
    try:
        await asyncio.open_connection('127.0.0.1', int(sys.argv[2]))
    except ConnectionRefusedError:
        say('refused')
asyncio.run(main())",
        &[server.port(), nowhere.port().to_string()],
        allow,
    );
    run.says("True 0|0 EISCONN EISCONN|EINPROGRESS ECONNREFUSED|EINPROGRESS ECONNREFUSED True|hello|refused");
}

/// nginx, Boost.Asio and Netty enter a socket before they connect it.
#[test]
fn lists_of_epoll_are_carried_over() {
    let server = Server::new(true, "hello");
    let run = script(
        "import select
to = ('127.0.0.1', int(sys.argv[1]))
lists = [select.epoll() for _ in range(3)]
for blocking in True, False:
    s = socket.socket()
    s.setblocking(blocking)
    for list in lists[:2]: list.register(s, select.EPOLLOUT | select.EPOLLET)
    first = s.connect_ex(to)
    say(first in (0, errno.EINPROGRESS), *[list.poll(2) == [(s.fileno(), select.EPOLLOUT)] for list in lists[:2]], lists[2].poll(0.1))
    lists[0].modify(s, select.EPOLLIN)
    lists[1].unregister(s)
    s.send(b'x')
    say(lists[0].poll(2)[0][1] & select.EPOLLIN, s.recv(9).decode())
    s.close()
    say(lists[0].poll(0.1))",
        &[server.port()],
        allow,
    );
    run.says("True True True []|1 hello|[]|True True True []|1 hello|[]");
}

#[test]
fn asking_again_while_it_lasts() {
    let (hole, _full, _listener) = black_hole();
    let run = script(
        "s = socket.socket()
s.setblocking(False)
to = ('127.0.0.1', int(sys.argv[1]))
say(errno.errorcode[s.connect_ex(to)], errno.errorcode[s.connect_ex(to)], errno.errorcode[s.connect_ex(to)])",
        &[hole.port().to_string()],
        allow,
    );
    run.says("EINPROGRESS EALREADY EALREADY");
    assert_eq!(run.asked.len(), 1);
}

#[test]
fn signals_and_timeouts_end_the_wait() {
    let (hole, _full, _listener) = black_hole();
    let run = script(
        "to = ('127.0.0.1', int(sys.argv[1]))
def late(*_): raise TimeoutError
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.3)
begin = time.time()
try:
    socket.socket().connect(to)
except TimeoutError:
    say('alarm', time.time() - begin < 2)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 400000))
begin = time.time()
say(raw(s.fileno(), inet(to[1])), 0.3 < time.time() - begin < 2)
s = socket.socket()
s.settimeout(0.3)
try:
    s.connect(to)
except TimeoutError:
    say('timeout')",
        &[hole.port().to_string()],
        allow,
    );
    run.says("alarm True|EINPROGRESS True|timeout");
}

#[test]
fn killed_callers_leave_nothing_behind() {
    let (hole, _full, _listener) = black_hole();
    let server = Server::new(false, "hello");
    let begin = Instant::now();
    let run = script(
        "for _ in range(20):
    pid = os.fork()
    if pid == 0:
        for _ in range(20):
            threading.Thread(target=lambda: socket.socket().connect(('127.0.0.1', int(sys.argv[1])))).start()
        while True: socket.create_connection(('127.0.0.1', int(sys.argv[2]))).close()
    time.sleep(0.03)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
say(socket.create_connection(('127.0.0.1', int(sys.argv[2]))).recv(9).decode())",
        &[hole.port().to_string(), server.port()],
        allow,
    );
    run.says("hello");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn many_at_once() {
    let server = Server::new(false, "hello");
    let run = script(
        "good = []
def one():
    for _ in range(5):
        s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
        good.append(s.recv(9) == b'hello')
threads = [threading.Thread(target=one) for _ in range(200)]
[t.start() for t in threads]; [t.join() for t in threads]
say(len(good), all(good))",
        &[server.port()],
        allow,
    );
    run.says("1000 True");
}

/// A thousand that wait at the same time hold nobody else up.
#[test]
fn a_thousand_in_flight() {
    let (hole, _full, _listener) = black_hole();
    let server = Server::new(false, "hello");
    let nofile = rustix::process::Resource::Nofile;
    let limit = rustix::process::getrlimit(nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(nofile, raised).unwrap();
    let run = script(
        "import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
threading.stack_size(65536)
def hang():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 120, 0))
    raw(s.fileno(), inet(int(sys.argv[1])))
threads = [threading.Thread(target=hang, daemon=True) for _ in range(1000)]
[t.start() for t in threads]
good = sum(socket.create_connection(('127.0.0.1', int(sys.argv[2]))).recv(9) == b'hello' for _ in range(20))
say(good, sum(t.is_alive() for t in threads))
os._exit(0)",
        &[hole.port().to_string(), server.port()],
        allow,
    );
    run.says("20 1000");
}

/// Whether a client is installed, or a visible note that it is not.
fn is_here(program: &str) -> bool {
    let found = ["/usr/local/bin", "/usr/bin", "/bin"]
        .iter()
        .any(|folder| std::path::Path::new(folder).join(program).exists());
    if !found {
        eprintln!("not run: {program} is not here");
    }
    found
}

#[test]
fn known_clients() {
    let http = Server::new(
        true,
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    );
    let run = supervise(
        &[
            "curl",
            "-sS",
            "-m",
            "10",
            &format!("http://127.0.0.1:{}/", http.port()),
        ],
        allow,
    );
    assert!(run.stdout().ends_with("hello"), "{:?}", run.output);
    let to = http.address;
    let redirect = move |_: &Wanted| Decision::Connect(vec![to]);
    let run = supervise(&["curl", "-sS", "-m", "10", "http://192.0.2.1/"], redirect);
    assert!(run.stdout().ends_with("hello"), "{:?}", run.output);
    let run = supervise(&["curl", "-sS", "-m", "10", "http://127.0.0.1:1/"], allow);
    assert_eq!(run.output.status.code(), Some(7), "{:?}", run.output);

    if is_here("redis-cli") {
        let redis = Server::new(true, "+PONG\r\n");
        let run = supervise(&["redis-cli", "-p", &redis.port(), "ping"], allow);
        assert!(run.stdout().contains("PONG"), "{:?}", run.output);
    }
    if is_here("socat") {
        let server = Server::new(false, "hello");
        let from = format!("TCP:127.0.0.1:{}", server.port());
        let run = supervise(&["socat", "-u", &from, "-"], allow);
        assert!(run.stdout().ends_with("hello"), "{:?}", run.output);
    }
}

#[test]
fn ways_around_connect() {
    let server = Server::new(true, "hello");
    let run = script(
        "to = ('127.0.0.1', int(sys.argv[1]))
s = socket.create_connection(to)
say(raw(s.fileno(), bytes(16)), raw(s.fileno(), bytes(2)), s.getpeername() == to)
n = socket.socket()
say(raw(n.fileno(), bytes(16)))
for flags in 0x20000000, 0x20004000:
    say(error(socket.socket().sendto, b'x', flags, to), error(socket.socket().sendmsg, [b'x'], [], flags, to))
say(error(socket.socket, socket.AF_INET, socket.SOCK_DGRAM), error(socket.socket, socket.AF_INET6, socket.SOCK_RAW))
say(error(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 132), error(socket.socket, socket.AF_VSOCK, socket.SOCK_STREAM))
say(error(socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM), error(socket.socket, socket.AF_UNIX, socket.SOCK_RAW))
say(error(socket.socketpair), error(socket.socketpair, socket.AF_UNIX, socket.SOCK_SEQPACKET))
say(error(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM))
say(libc.syscall(425, 1, 0), errno.errorcode[ctypes.get_errno()])
say(error(socket.getaddrinfo, 'localhost', 1))",
        &[server.port()],
        allow,
    );
    run.says(
        "EAFNOSUPPORT EAFNOSUPPORT True|EAFNOSUPPORT|ENOTSUP ENOTSUP|ENOTSUP ENOTSUP|EACCES EACCES|\
         EPROTONOSUPPORT EAFNOSUPPORT|EACCES EACCES|ok ok|EACCES|-1 ENOSYS|ok",
    );
    assert_eq!(server.accepted(), 1);
}

#[test]
fn unix_sockets() {
    let folder = std::env::temp_dir().join(format!("ringfence-connect-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, oracle) = (folder.join("allowed"), folder.join("oracle"));
    let listener = UnixListener::bind(&path).unwrap();
    let _oracle = UnixListener::bind(&oracle).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"hello").unwrap();
        }
    });
    for path in [&path, &oracle] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
    }
    let link = folder.join("link");
    std::os::unix::fs::symlink(&oracle, &link).unwrap();
    let run = script(
        "os.chdir(sys.argv[1])
new = lambda: socket.socket(socket.AF_UNIX)
s = new()
s.connect('allowed')
say(s.recv(9).decode(), error(s.connect, 'allowed'))
say(error(new().connect, sys.argv[1] + '/oracle'), error(new().connect, 'link'))
t = new()
say(error(new().connect, '\\0oracle'), raw(t.fileno(), b'\\1\\0'), raw(t.fileno(), inet(1)))
say(error(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect, 'allowed'))",
        &[folder.to_str().unwrap().to_owned()],
        move |wanted: &Wanted| match wanted {
            Wanted::UnixPath(path) if path.ends_with("oracle") => {
                Decision::Refuse(libc::ECONNREFUSED)
            }
            Wanted::UnixPath(path) => Decision::ConnectUnix(path.clone()),
            _ => Decision::Refuse(libc::ECONNREFUSED),
        },
    );
    run.says("hello EISCONN|ECONNREFUSED ELOOP|ECONNREFUSED ECONNREFUSED EINVAL|EPROTOTYPE");
    assert_eq!(run.asked[0], Wanted::UnixPath(path));
    assert!(
        run.asked
            .contains(&Wanted::UnixAbstract(b"oracle".to_vec()))
    );
    assert!(run.asked.contains(&Wanted::UnixUnnamed));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_caller_that_cannot_be_read_is_refused() {
    // Root may read everyone.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let server = Server::new(false, "hello");
    let run = script(
        "libc.prctl(4, 0)
say(error(socket.socket().connect, ('127.0.0.1', int(sys.argv[1]))))",
        &[server.port()],
        allow,
    );
    run.says("ECONNREFUSED");
    assert_eq!(run.asked, [Wanted::Unreadable]);
}

/// Scenario 43: the address changes while it is read, and the descriptor while it is replaced.
#[test]
fn the_race_never_connects_anywhere_else() {
    let seconds = std::env::var("RINGFENCE_RACE_SECONDS").unwrap_or_else(|_| "4".into());
    let (allowed, oracle) = (Server::new(false, "hello"), Server::new(false, "secret"));
    let path = std::env::temp_dir().join(format!("ringfence-race-{}", std::process::id()));
    let unix = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    unix.set_nonblocking(true).unwrap();
    let to = allowed.address;
    let run = script(
        "shared = mmap.mmap(-1, 4096)
good, bad = inet(int(sys.argv[1])), inet(int(sys.argv[2]))
unix = b'\\1\\0' + sys.argv[3].encode() + b'\\0'
length = max(16, len(unix))
end = time.time() + float(sys.argv[4])
for _ in range(2):
    if os.fork() == 0:
        while time.time() < end:
            for address in good, bad, good, unix, good, bytes(16), good:
                shared[:len(address)] = address
        os._exit(0)
memory = ctypes.addressof(ctypes.c_char.from_buffer(shared))
spare, seen = socket.socket(), set()
def swap():
    while time.time() < end:
        try: os.dup2(spare.fileno(), 700)
        except OSError: pass
threading.Thread(target=swap).start()
tries = 0
while time.time() < end:
    for family in socket.AF_INET, socket.AF_UNIX:
        s = socket.socket(family)
        for fd in s.fileno(), 700, s.fileno():
            tries += 1
            seen.add('ok' if libc.connect(fd, ctypes.c_void_p(memory), length) == 0 else errno.errorcode[ctypes.get_errno()])
        s.settimeout(0.2)
        try: data = s.recv(9)
        except OSError: data = b''
        if data == b'secret': seen.add('SECRET')
        s.close()
say(tries > 1000, 'ok' in seen, 'ECONNREFUSED' in seen or 'EACCES' in seen, 'EAFNOSUPPORT' in seen, 'SECRET' in seen)
os._exit(0)",
        &[allowed.port(), oracle.port(), path.to_str().unwrap().to_owned(), seconds],
        move |wanted: &Wanted| match wanted {
            Wanted::Stream(address) if *address == to => Decision::Connect(vec![to]),
            _ => Decision::Refuse(libc::ECONNREFUSED),
        },
    );
    run.says("True True True True False");
    assert_eq!(oracle.accepted(), 0);
    assert!(unix.accept().is_err());
    std::fs::remove_file(path).unwrap();
}

/// Loopback addresses and everything that is not TCP stay inside; the rest is connected out here.
fn open_egress(to: SocketAddr) -> impl Policy {
    move |wanted: &Wanted| match wanted {
        Wanted::Stream(address) if !address.ip().is_loopback() => Decision::Connect(vec![to]),
        Wanted::Unreadable => Decision::Refuse(libc::EACCES),
        _ => Decision::Inside,
    }
}

#[test]
fn inside_a_namespace() {
    let server = Server::new(false, "hello");
    let oracle = Server::new(false, "secret");
    let Some(run) = inside(
        "s = socket.create_connection(('192.0.2.1', 80))
say(s.recv(9).decode(), raw(s.fileno(), bytes(16)))
say(error(socket.socket().connect, ('127.0.0.1', int(sys.argv[1]))))
l = socket.create_server(('127.0.0.1', 0)); to = l.getsockname()
c = socket.create_connection(to); l.accept()[0].send(b'inner')
say(c.recv(9).decode(), error(c.connect, to), c.getblocking())
n = socket.socket(); n.setblocking(False)
say(n.connect_ex(to) in (0, errno.EINPROGRESS), bool(l.accept()))
u, v = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
u.bind(('127.0.0.1', 0)); v.connect(u.getsockname()); v.send(b'datagram')
say(u.recv(9).decode(), raw(v.fileno(), bytes(16)), error(v.getpeername))
path = '/tmp/ringfence-inside-%d' % os.getpid()
for name in '\\0inner', path:
    x = socket.socket(socket.AF_UNIX); x.bind(name); x.listen()
    y = socket.socket(socket.AF_UNIX); y.connect(name); x.accept()[0].send(b'unix')
    say(y.recv(9).decode())
os.chdir('/tmp')
y = socket.socket(socket.AF_UNIX); y.connect(os.path.basename(path)); say('relative')
os.unlink(path)
say(error(socket.socket(socket.AF_UNIX).connect, '/tmp/none'), error(socket.socket(socket.AF_UNIX).connect, '\\0none'))
k = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
say(raw(k.fileno(), struct.pack('=HHII', 16, 0, 0, 0)))",
        &[oracle.port()],
        open_egress(server.address),
    ) else {
        return;
    };
    run.says(
        "hello EAFNOSUPPORT|ECONNREFUSED|inner EISCONN True|True True|datagram ok ENOTCONN|unix|unix|relative|ENOENT ECONNREFUSED|ok",
    );
    assert_eq!((server.accepted(), oracle.accepted()), (1, 0));
}

/// A socket of ours in the caller's hands cannot be connected again as if it were the caller's.
#[test]
fn inside_is_refused_to_sockets_of_the_host() {
    let oracle = Server::new(false, "secret");
    let nowhere = closed_port();
    let Some(run) = inside(
        "s = socket.socket()
s.setblocking(False)
say(errno.errorcode[s.connect_ex(('192.0.2.1', 80))])
time.sleep(0.1)
say(errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)], error(s.connect, ('127.0.0.1', int(sys.argv[1]))))
end = time.time() + 2
inner = socket.socket()
def swap():
    while time.time() < end:
        os.dup2(s.fileno(), 700); os.dup2(inner.fileno(), 700)
threading.Thread(target=swap).start()
seen = {raw(700, inet(int(sys.argv[1]))) for _ in iter(lambda: time.time() < end, False)}
say('ok' in seen, 'ECONNREFUSED' in seen)",
        &[oracle.port()],
        open_egress(nowhere),
    ) else {
        return;
    };
    run.says("EINPROGRESS|ECONNREFUSED EACCES|False True");
    assert_eq!(oracle.accepted(), 0);
}

/// Scenarios 31 to 34 and 37, and what must stay usable.
#[test]
fn the_full_filter() {
    let text = "import pty
say(*[error(socket.socket, family, socket.SOCK_DGRAM) for family in (socket.AF_VSOCK, socket.AF_PACKET, 38, socket.AF_UNIX, socket.AF_INET)])
call = lambda *x: errno.errorcode[ctypes.get_errno()] if libc.syscall(*x) < 0 else 'ok'
say(call(425, 1, 0), call(250 if os.uname().machine == 'x86_64' else 219, 0, 0))
if os.uname().machine == 'x86_64': say(call(0x40000000 | 41, 40, 1, 0), call(0x40000000 | 39))
else: say('ENOSYS ENOSYS')
master, slave = pty.openpty()
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
byte = ctypes.create_string_buffer(b'x')
say(*[errno.errorcode[ctypes.get_errno()] if libc.ioctl(slave, request, byte) < 0 else 'ok' for request in (0x5412, 0xdead00005412, 0x541C)])
say(call(304 if os.uname().machine == 'x86_64' else 265, -100, 0, 0), bool(os.memfd_create('x')))";
    let text = format!("{PRELUDE}\nsay = lambda *x: print('>', *x, flush=True)\n{text}");
    let output = under("full", &[], &[PYTHON, "-c", &text]).output().unwrap();
    let run = Run {
        output,
        asked: Vec::new(),
    };
    run.says(
        "EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT ok ok|ENOSYS ENOSYS|ENOSYS ENOSYS|EPERM EPERM EPERM|EPERM True",
    );
}
