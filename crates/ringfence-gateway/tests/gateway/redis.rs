//! Several gateways on one Redis: a real one, started for each test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::redis::{Redis, RedisError, Server, WhenLost};

use crate::upstream::{Upstream, response, say};
use crate::world::{Api, World, eventually};

pub(crate) struct Running {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Running {
    /// `None` where no Redis is installed, which is a visible skip unless it must be there.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "tests start processes"
    )]
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--requirepass",
            "p@ss word",
        ]);
        let child = command
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
            assert!(
                !required.split(',').any(|word| word == "redis-server"),
                "redis-server is required and not installed"
            );
            eprintln!("skipped: redis-server is not installed");
            return None;
        };
        let running = Self {
            child,
            port,
            _folder: folder,
        };
        eventually(|| TcpStream::connect(("127.0.0.1", port)).ok());
        Some(running)
    }

    /// Forgets everything in it.
    pub(crate) fn clear(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(b"AUTH \"p@ss word\"\r\nFLUSHALL\r\nQUIT\r\n")
            .unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers, "+OK\r\n+OK\r\n+OK\r\n");
    }

    pub(crate) fn store(
        &self,
        environment: &str,
        when_lost: WhenLost,
    ) -> Result<Redis, RedisError> {
        let server =
            Server::parse(&format!("redis://:p%40ss%20word@127.0.0.1:{}/2", self.port)).unwrap();
        Redis::connect(server, environment, when_lost)
    }

    fn gateway(&self, limits: &'static str, upstream: &str, when_lost: WhenLost) -> World {
        let store = self.store("dev", when_lost).unwrap();
        let api = Api {
            limits,
            ..Api::llm(upstream)
        };
        World::with(&[api], Store::Redis(Box::new(store)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many of so many requests pass, sent to the gateways in turn, several at once.
fn passed(worlds: &[World], requests: usize, rest: &str) -> usize {
    let ask = |number: usize| worlds[number % worlds.len()].chat(rest).status;
    let chunks: Vec<Vec<usize>> = (0..4)
        .map(|first| (first..requests).step_by(4).collect())
        .collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = chunks
            .iter()
            .map(|chunk| {
                scope.spawn(move || chunk.iter().map(|number| ask(*number)).collect::<Vec<_>>())
            })
            .collect();
        all.into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    assert!(
        statuses.iter().all(|status| [200, 429].contains(status)),
        "{statuses:?}"
    );
    statuses.iter().filter(|status| **status == 200).count()
}

#[test]
fn three_gateways_allow_what_one_would() {
    let Some(redis) = Running::start() else {
        return;
    };
    let worlds: Vec<World> = (0..3)
        .map(|_| redis.gateway("100 requests/h", "mock://", WhenLost::Deny))
        .collect();
    assert_eq!(passed(&worlds, 160, r#","max_tokens":1"#), 100);
    let refused = worlds[0].chat("");
    assert_eq!(refused.refused(429), "rate_limit_exceeded");
    let milliseconds: u64 = refused.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((30_000..=36_000).contains(&milliseconds), "{milliseconds}");
}

#[test]
fn budgets_and_tokens_are_settled_across_gateways() {
    let Some(redis) = Running::start() else {
        return;
    };
    for limits in ["2000 tokens/day", "2000 tokens/h", "2000 tokens/month"] {
        let worlds: Vec<World> = (0..2)
            .map(|_| redis.gateway(limits, "mock://", WhenLost::Deny))
            .collect();
        // Each uses 2 for the prompt and 3 for the answer, and reserves 24 and 500 before.
        for number in 0..20 {
            let world = &worlds[number % 2];
            eventually(|| (world.chat(r#","max_tokens":500"#).status == 200).then_some(()));
        }
        // Settling is under way while the answer is: the last one's reserve may still be there.
        let left = eventually(|| {
            let answer = worlds[0].chat(r#","max_tokens":500"#);
            let left = answer
                .header("x-ratelimit-remaining-tokens")?
                .parse::<u64>()
                .ok();
            left.filter(|left| *left >= 1200)
        });
        assert!(left <= 1400, "{limits}: {left}");
        assert_eq!(worlds[1].chat(r#","max_tokens":1990"#).status, 429);
    }
}

#[test]
fn places_are_shared_and_given_back() {
    let Some(redis) = Running::start() else {
        return;
    };
    let upstream = Upstream::new(|stream, count| {
        if count <= 2 {
            std::thread::sleep(Duration::from_secs(3));
        }
        say(
            stream,
            &response("200 OK", "Content-Type: application/json\r\n", "{}"),
        );
    });
    let worlds: Vec<World> = (0..2)
        .map(|_| redis.gateway("2 concurrent", &upstream.url, WhenLost::Deny))
        .collect();
    std::thread::scope(|scope| {
        let held: Vec<_> = worlds
            .iter()
            .map(|world| scope.spawn(|| world.chat("").status))
            .collect();
        eventually(|| (upstream.requests().len() == 2).then_some(()));
        assert_eq!(worlds[0].chat("").status, 429);
        for one in held {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
    eventually(|| (worlds[0].chat("").status == 200).then_some(()));
}

#[test]
fn a_store_of_another_environment_is_refused() {
    let Some(redis) = Running::start() else {
        return;
    };
    redis.store("dev", WhenLost::Deny).unwrap();
    redis.store("dev", WhenLost::Deny).unwrap();
    let refused = redis.store("prod", WhenLost::Deny).err().unwrap();
    assert_eq!(refused.to_string(), "it is marked for `dev`");
    let server = Server::parse(&format!("redis://:wrong@127.0.0.1:{}", redis.port)).unwrap();
    let refused = Redis::connect(server, "dev", WhenLost::Deny).err().unwrap();
    assert!(!refused.to_string().contains("wrong:"), "{refused}");
}

#[test]
fn without_the_store_it_is_denied_or_shared_as_declared() {
    let Some(mut redis) = Running::start() else {
        return;
    };
    let denying = redis.gateway("100 requests/h", "mock://", WhenLost::Deny);
    let sharing = redis.gateway("100 requests/h", "mock://", WhenLost::Share(4));
    assert_eq!(
        (denying.chat("").status, sharing.chat("").status),
        (200, 200)
    );
    redis.child.kill().unwrap();
    redis.child.wait().unwrap();
    assert_eq!(denying.chat("").refused(503), "limits_unavailable");
    assert_eq!(passed(&[sharing], 40, r#","max_tokens":1"#), 25);
}
