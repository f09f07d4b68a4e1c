//! The accidents that a barrier must prevent, re-enacted. What was hit has a stand-in, and the stand-in received nothing.

use crate::ground::scenario;
use crate::oracle::Oracle;
use crate::scene::{BINARY, Outcome, SECRET, Scene};
use crate::server::Postgres;

/// How many users production has.
fn users(scene: &Scene) -> String {
    let ask = "psql -h 10.20.0.5 -p 5432 -U app -d app -Atc 'select count(*) from users'";
    scene.plain(ask).succeeded().stdout
}

fn fill(scene: &Scene) {
    let make = "psql -q -h 10.20.0.5 -p 5432 -U app -d app -c 'drop table if exists users; create table users as select generate_series(1, 100) id' 2>/dev/null";
    scene.plain(make).succeeded();
    assert_eq!(users(scene), "100\n");
}

/// A1: an old terminal still held production's `DATABASE_URL`, and the tests truncated it.
#[test]
fn a1_tests_cannot_truncate_production() {
    scenario(&["postgres"], |scene| {
        let server = Postgres::at(scene, "10.20.0.5", 5432);
        let url = "postgres://app@10.20.0.5:5432/app";
        scene.write(
            ".env.test",
            "DATABASE_URL=postgres://app@db:5432/app_test\n",
        );
        let suite = "PGCONNECT_TIMEOUT=3 psql \"$DATABASE_URL\" -c 'truncate users'";
        fill(scene);
        scene
            .plain(&format!("export DATABASE_URL={url}; {suite}"))
            .succeeded();
        assert_eq!(users(scene), "0\n", "the control truncates");
        fill(scene);
        let before = server.log().matches("connection received").count();
        let start = format!("export DATABASE_URL={url}; {BINARY} run test -- sh -c");
        let outcome = scene.plain(&format!("{start} '{}'", suite.replace('\'', "\"")));
        assert_ne!(outcome.code, Some(0), "{outcome:?}");
        assert!(
            outcome
                .stderr
                .contains("the shell's DATABASE_URL is ignored"),
            "{outcome:?}"
        );
        // Even tests that have the address written into them.
        let written = format!("{start} 'PGCONNECT_TIMEOUT=3 psql {url} -c \"truncate users\"'");
        assert_ne!(scene.plain(&written).code, Some(0));
        let named = format!(
            "{start} 'PGCONNECT_TIMEOUT=3 psql postgres://app@db.prod.internal/app -c \"truncate users\"'"
        );
        scene.plain(&named).told(&["db.prod.internal"]);
        let after = server.log().matches("connection received").count();
        assert_eq!(after, before, "production saw nobody: {}", server.log());
        assert_eq!(users(scene), "100\n");
    });
}

/// A2: an environment that was not set meant production.
#[test]
fn a2_an_unset_environment_is_never_production() {
    scenario(&["curl"], |scene| {
        let prod = Oracle::http("10.20.0.5:80");
        let drop = "curl -sS -m 3 -X DELETE http://10.20.0.5/database; curl -sS -m 3 -X DELETE $API_URL/database; env";
        scene.plain(drop).succeeded();
        let before = prod.visits();
        assert_eq!(before, 1);
        let outcome = scene.ringfence(&["run", "--", "sh", "-c", drop]);
        assert!(
            outcome.stdout.contains("RINGFENCE_TIER=development"),
            "{outcome:?}"
        );
        assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
        for file in [".env.dev", ".env.test", ".env.staging", "ringfence.toml"] {
            std::fs::remove_file(scene.path(file)).unwrap();
        }
        let outcome = scene.ringfence(&["run", "--", "sh", "-c", drop]);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(78), ""),
            "{outcome:?}"
        );
        assert_eq!(prod.visits(), before, "production received nothing");
    });
}

/// A7: an agent on a staging task found a token in an unrelated file, and deleted production through the provider's API.
#[test]
fn a7_an_agent_in_staging_finds_no_token_and_no_control_plane() {
    scenario(&["curl"], |scene| {
        let control_plane = Oracle::http("10.20.0.5:80");
        scene.write("deploy/provider.env", format!("TOKEN={SECRET}\n"));
        let manifest = "version = 1\n[environments]\ndev = {}\nstaging = {}\nprod = { files = [\".env.prod\", \"deploy/provider.env\"] }\n";
        scene.write("ringfence.toml", manifest);
        let agent = "grep -rhs PROD-ORCHID . ~ | head -n 1; curl -sS -m 3 -X DELETE http://control.prod.internal/volumes/1";
        assert!(scene.plain(agent).succeeded().stdout.contains(SECRET));
        let before = control_plane.visits();
        assert_eq!(before, 1, "the control deletes");
        for script in [
            agent,
            "cat deploy/provider.env; curl -sS -m 3 -X DELETE http://control.prod.internal/volumes/1",
            "curl -sS -m 3 -X DELETE http://10.20.0.5/volumes/1",
            "https_proxy=http://10.20.0.5:80 curl -sS -m 3 https://control.prod.internal/",
        ] {
            let outcome = scene.inside_of("staging", script);
            assert!(!outcome.stdout.contains(SECRET), "{script}: {outcome:?}");
            assert_ne!(outcome.code, Some(0), "{script}: {outcome:?}");
        }
        let outcome = scene.inside_of("staging", agent);
        outcome.told(&["control.prod.internal"]);
        assert_eq!(
            control_plane.visits(),
            before,
            "the provider received nothing"
        );
    });
}

/// A9: the ambient cluster's context was production's.
#[test]
fn a9_the_ambient_cluster_is_not_there() {
    scenario(&["curl"], |scene| {
        let cluster = Oracle::http("10.20.0.5:6443");
        let context = "server: http://10.20.0.5:6443\n";
        scene.write("../home/.kube/config", context);
        scene.write("../home/other-kubeconfig", context);
        // What a deploy tool does: the context's file says where to.
        let deploy = "file=${KUBECONFIG:-$HOME/.kube/config}; server=$(sed -n 's/^server: //p' \"$file\"); \
            curl -sS -m 3 -X POST \"${server:?no cluster}/apply\"";
        let ambient = format!("export KUBECONFIG=$HOME/other-kubeconfig; {deploy}");
        scene.plain(&ambient).succeeded();
        scene.plain(deploy).succeeded();
        let before = cluster.visits();
        assert_eq!(before, 2, "the controls deploy");
        scene.write("deploy.sh", deploy);
        let start =
            format!("export KUBECONFIG=$HOME/other-kubeconfig; {BINARY} run dev -- sh deploy.sh");
        scene
            .plain(&start)
            .failed(&["Permission denied", "no cluster"]);
        scene
            .inside("KUBECONFIG=$HOME/other-kubeconfig sh deploy.sh")
            .failed(&["connect", "unreachable"]);
        assert_eq!(cluster.visits(), before, "the cluster received nothing");
    });
}

/// A12: the guard was weakened by the agent that it guarded.
#[test]
fn a12_the_guarded_cannot_weaken_the_guard() {
    scenario(&[], |scene| {
        scene.write(
            "ringfence.toml",
            "version = 1\n[environments]\ndev = { barrier = \"full\" }\nprod = {}\n",
        );
        let before = scene.read("ringfence.toml");
        let weaken = [
            "sed -i 's/full/off/' ringfence.toml",
            "echo '[environments]' >ringfence.toml",
            "rm ringfence.toml",
            "cp ringfence.toml n; sed -i s/full/off/ n; mv n ringfence.toml",
            "chmod 666 ringfence.toml; echo x >ringfence.toml",
            "mkdir -p .ringfence/rules && echo x >.ringfence/rules/x",
            "ln -f .env.dev ringfence.toml",
            "truncate -s 0 ringfence.toml",
        ];
        for script in weaken {
            scene.plain(script).succeeded();
            let _ = std::fs::remove_file(scene.path("ringfence.toml"));
            scene.write("ringfence.toml", &before);
            let _ = std::fs::remove_dir_all(scene.path(".ringfence/rules"));
            let _ = std::fs::remove_file(scene.path("n"));
            let outcome = scene.inside(script);
            assert_ne!(outcome.code, Some(0), "{script}: {outcome:?}");
            assert_eq!(scene.read("ringfence.toml"), before, "{script}");
            assert!(!scene.path(".ringfence/rules").exists(), "{script}");
        }
        // Another Ringfence inside gives nothing that the first one took.
        for script in [
            format!("{BINARY} run dev --no-barrier -- cat .env.prod"),
            format!("{BINARY} run prod -- cat .env.prod"),
        ] {
            scene.never_shows(&script);
        }
    });
}

/// What every accident has in common: `--no-barrier` is what the barrier is compared with, and is for development alone.
#[test]
fn without_a_barrier_everything_is_within_reach() {
    scenario(&["curl"], |scene| {
        let oracle = Oracle::http("10.20.0.5:80");
        let script = "cat .env.prod; curl -sS -m 3 http://10.20.0.5/";
        let run = |environment: &str| -> Outcome {
            scene.ringfence(&["run", environment, "--no-barrier", "--", "sh", "-c", script])
        };
        assert!(run("dev").succeeded().stdout.contains(SECRET));
        assert_eq!(oracle.visits(), 1);
        for environment in ["staging", "prod"] {
            let outcome = run(environment);
            assert_ne!(outcome.code, Some(0), "{outcome:?}");
            assert_eq!(outcome.stdout, "", "{environment}");
        }
        assert_eq!(oracle.visits(), 1);
    });
}
