//! A gateway under test, its callers, and what it wrote down.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringfence_flag::definition::{Environment, FlagFile, Sources, build};
use ringfence_gateway::caller::CallerKey;
use ringfence_gateway::config::{
    Allowances, Config, Ingress, Kind, Level, Origin, Origins, Price, Resource, Target, Upstream,
    refusals,
};
use ringfence_gateway::key::{InjectedKey, Scrubber};
use ringfence_gateway::limit::memory::Memory;
use ringfence_gateway::limit::{Store, rule};
use ringfence_gateway::record::writer::Recorder;
use ringfence_gateway::serve::{self, Gateway, Source};
use ringfence_secret::redact::Patterns;
use serde_json::Value;

/// The key that upstreams expect, and nobody else may see.
pub(crate) const KEY: &str = "sk-up-9f8Q/e7D6c5B4a3";

/// A resource, as a test describes it.
pub(crate) struct Api {
    pub(crate) name: &'static str,
    pub(crate) is_http: bool,
    pub(crate) upstream: String,
    pub(crate) models: Vec<(&'static str, Vec<Target>)>,
    pub(crate) limits: &'static str,
    pub(crate) record: Level,
    pub(crate) timeout: Duration,
}

impl Api {
    /// A model called `chat` here and `m-1` there.
    pub(crate) fn llm(upstream: impl Into<String>) -> Self {
        Self {
            name: "llm",
            is_http: false,
            upstream: upstream.into(),
            models: vec![("chat", vec![target(None, "m-1")])],
            limits: "none",
            record: Level::Metadata,
            timeout: Duration::from_secs(5),
        }
    }

    pub(crate) fn http(upstream: impl Into<String>) -> Self {
        Self {
            name: "pay",
            is_http: true,
            models: Vec::new(),
            ..Self::llm(upstream)
        }
    }

    fn resource(&self) -> Resource {
        let kind = if self.is_http {
            let headers = vec!["x-version".parse().unwrap()];
            Kind::Http { headers }
        } else {
            let rows = self.models.iter();
            let rows = rows.map(|(name, targets)| ((*name).to_owned(), targets.clone()));
            Kind::OpenAi {
                models: rows.collect::<BTreeMap<_, _>>(),
            }
        };
        let upstream = Upstream::parse(&self.upstream).unwrap();
        let is_mock = matches!(upstream, Upstream::Mock(_));
        Resource {
            name: self.name.to_owned(),
            kind,
            upstream,
            key: (!is_mock).then(|| InjectedKey::new(None, KEY).unwrap()),
            key_class: None,
            scrubber: Scrubber::new([KEY]),
            limits: rule::parse(self.limits, false).unwrap().into(),
            record: self.record.into(),
            timeout: self.timeout,
        }
    }
}

pub(crate) fn target(at: Option<&str>, model: &str) -> Target {
    Target {
        resource: at.map(str::to_owned),
        model: model.to_owned(),
        price: Some(Price {
            input: 1_000_000,
            output: 2_000_000,
        }),
    }
}

pub(crate) fn callers(environment: &str) -> CallerKey {
    CallerKey::derived(b"a secret of the test", "project", environment)
}

pub(crate) fn config(generation: u64, apis: &[Api]) -> Config {
    with_flags(generation, apis, "{\"flags\": {}}")
}

pub(crate) fn with_flags(generation: u64, apis: &[Api], flags: &str) -> Config {
    let file = FlagFile::read("flags.json", flags).unwrap();
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    let environment = Environment {
        name: "dev".to_owned(),
        tier: "development".to_owned(),
    };
    let (flags, errors) = build(&sources, &environment);
    assert_eq!(errors, []);
    let config = Config {
        environment: "dev".to_owned(),
        production: false,
        generation,
        resources: apis.iter().map(Api::resource).collect(),
        flags,
        origins: Origins {
            listed: vec![Origin::parse("https://app.example.com").unwrap()],
            takes_loopback: false,
        },
        callers: callers("dev"),
        ingress: Ingress::default(),
        secrets: Patterns::new([("KEY", KEY), ("PASSWORD", "correct-Horse9battery")]),
        allowances: Allowances::default(),
    };
    assert_eq!(refusals(&config), []);
    config
}

/// A running gateway. It ends with the process of the tests.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    records: Arc<Mutex<Vec<u8>>>,
    configs: Sender<Option<Config>>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Configurations that a test hands over.
struct Handed(Receiver<Option<Config>>, Vec<Option<Config>>);

impl Source for Handed {
    fn has_changed(&mut self) -> bool {
        self.1.extend(self.0.try_iter());
        !self.1.is_empty()
    }

    fn load(&mut self, _: u64) -> Option<Config> {
        self.1.remove(0)
    }

    fn served(&mut self, _: u64) {}
}

impl World {
    pub(crate) fn new(apis: &[Api]) -> Self {
        Self::with(apis, Store::Memory(Memory::default()))
    }

    pub(crate) fn with(apis: &[Api], store: Store) -> Self {
        Self::serving(config(1, apis), store, |gateway| gateway)
    }

    /// The same with anything, and with what is `added` to the gateway.
    pub(crate) fn serving(
        config: Config,
        store: Store,
        added: impl FnOnce(Gateway) -> Gateway,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder::start(Box::new(Shared(Arc::clone(&records))));
        let gateway = added(Gateway::new(config, recorder, store));
        let (configs, handed) = channel();
        std::thread::spawn(move || {
            serve::run(listener, gateway, Box::new(Handed(handed, Vec::new()))).unwrap();
        });
        Self {
            address,
            token: callers("dev").token("web").unwrap().to_string(),
            records,
            configs,
        }
    }

    /// Hands a configuration over, or a failure to make one.
    pub(crate) fn reload(&self, config: Option<Config>) {
        self.configs.send(config).unwrap();
    }

    /// Sends a request with the token and reads the answer to its end.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, headers, body);
        Answer::read(&mut stream)
    }

    /// The counts.
    pub(crate) fn metrics(&self) -> String {
        self.send("GET", "/-/metrics", &[], b"").body
    }

    /// Sends a request with the token, and leaves the answer to the caller.
    pub(crate) fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> TcpStream {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers
            .iter()
            .any(|header| header.to_ascii_lowercase().starts_with("authorization"))
        {
            head += &format!("Authorization: Bearer {}\r\n", self.token);
        }
        for header in headers {
            head += &format!("{header}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // A gateway that refuses early may have closed already.
        let _ = stream.write_all(body);
        stream
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send(
            "POST",
            path,
            &["Content-Type: application/json"],
            body.as_bytes(),
        )
    }

    /// A chat with one message.
    pub(crate) fn chat(&self, rest: &str) -> Answer {
        let body =
            format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"hello"}}]{rest}}}"#);
        self.post("/v1/chat/completions", &body)
    }

    /// The same so many times at once: the status of each.
    pub(crate) fn chats_at_once(&self, count: usize, rest: &str) -> Vec<u16> {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| self.chat(rest).status))
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }

    /// All records so far, once there are as many.
    #[track_caller]
    pub(crate) fn records(&self, count: usize) -> Vec<Value> {
        let text = eventually(|| {
            let text = self.record_text();
            (text.lines().count() >= count).then_some(text)
        });
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn record_text(&self) -> String {
        String::from_utf8(self.records.lock().unwrap().clone()).unwrap()
    }
}

/// What comes, in ten seconds at most.
#[track_caller]
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let is_chunked = head.contains("transfer-encoding: chunked");
        let (body, is_whole) = if is_chunked {
            dechunked(rest)
        } else {
            (rest.to_owned(), true)
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = is_whole && length.is_none_or(|length| length == rest.len());
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {read:?} {text}")),
            head: head.to_owned(),
            body,
            is_whole,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error in OpenAI's shape, with its status.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json = self.json();
        let error = &json["error"];
        assert!(
            error["message"].is_string()
                && error["type"].is_string()
                && error.get("param").is_some()
        );
        error["code"].as_str().unwrap().to_owned()
    }

    /// The data of a stream's events.
    pub(crate) fn events(&self) -> Vec<String> {
        let lines = self.body.lines();
        lines
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }
}

fn dechunked(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    loop {
        let Some((size, after)) = rest.split_once("\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = after.get(..size) else {
            return (body + after, false);
        };
        body += chunk;
        rest = after.get(size + 2..).unwrap_or_default();
    }
}
