//! The example service, started by the binary in two of its environments, asked over HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use crate::world::{Outcome, World};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/assistant");

/// A copy of the example.
pub(crate) fn example() -> World {
    let world = World::new(&[]);
    for folder in ["", "documents"] {
        for entry in fs::read_dir(Path::new(EXAMPLE).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = Path::new(folder).join(path.file_name().unwrap());
                world.write(name.to_str().unwrap(), fs::read(path).unwrap());
            }
        }
    }
    world
}

/// The service while a test asks it.
struct Service {
    child: Child,
    said: BufReader<ChildStderr>,
    address: String,
    greeting: String,
}

impl Service {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command();
        command
            .arg("run")
            .args(arguments)
            .args(["--", "python3", "assistant.py"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut greeting = String::new();
        said.read_line(&mut greeting).unwrap();
        let address = greeting
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        Self {
            address: address.unwrap_or_else(|| panic!("{greeting}")).to_owned(),
            child,
            said,
            greeting,
        }
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The barrier shows a port outside a moment after the service listens.
    fn connect(&self) -> TcpStream {
        for _ in 0..100 {
            match TcpStream::connect(&self.address) {
                Ok(stream) => return stream,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        }
        panic!("{} cannot be reached", self.address);
    }

    /// Ends it as a person would, and gives its exit code and what it said.
    fn stop(mut self, world: &World) -> (Option<i32>, String) {
        assert!(
            world
                .any_command("kill")
                .arg(self.child.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        (
            self.child.wait().unwrap().code(),
            format!("{}{rest}", self.greeting),
        )
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A test that failed leaves no service behind; one that ended it has nothing to kill.
        let _ = self.child.kill();
    }
}

#[test]
fn the_same_code_is_another_service_in_production() {
    let world = example();
    // Production takes no `--set`; a free port takes the place of its fixed one in the copy.
    world.write(
        ".env.prod",
        world.read(".env.prod").replace("PORT=8003", "PORT=0"),
    );
    let dev = Service::start(&world, &["dev", "--set", "PORT=0"]);
    let prod = Service::start(&world, &["prod"]);
    assert!(
        dev.greeting
            .contains("(dev, asks a model, 7 of 12 documents)"),
        "{}",
        dev.greeting
    );
    assert!(
        prod.greeting
            .contains("(prod, asks a model, 12 of 12 documents)"),
        "{}",
        prod.greeting
    );
    let question = "/ask?q=What+is+staging+for";
    let (in_dev, in_prod) = (dev.ask(question), prod.ask(question));
    assert!(
        in_dev.contains("Staging is for rehearsing a release") && in_dev.contains("\"debug\""),
        "{in_dev}"
    );
    assert!(
        in_prod.contains("\"environment\": \"prod\"") && !in_prod.contains("\"debug\""),
        "{in_prod}"
    );
    // A mock stands in for the model, and what `chat` means is the environment's business.
    assert!(
        in_dev.contains("\"model\": \"small\"") && in_prod.contains("\"model\": \"large\""),
        "{in_dev} {in_prod}"
    );
    assert!(in_dev.contains("You said: What is staging for"), "{in_dev}");
    let mut limited = String::new();
    for _ in 0..60 {
        limited = prod.ask(question);
    }
    assert!(limited.starts_with("HTTP/1.0 429"), "{limited}");
    assert!(world.path("data/dev.db").exists() && world.path("data/prod.db").exists());
    let (code, said) = dev.stop(&world);
    assert!(
        code == Some(0) && said.contains("INFO GET /ask 200"),
        "{code:?} {said}"
    );
    let (code, said) = prod.stop(&world);
    assert!(code == Some(0) && !said.contains("INFO"), "{code:?} {said}");
}

/// What the gateway wrote down of the model, by environment.
#[test]
fn the_model_is_asked_with_full_records_in_dev_and_without_texts_in_prod() {
    let world = example();
    world.write(
        ".env.prod",
        world.read(".env.prod").replace("PORT=8003", "PORT=0"),
    );
    for (environment, arguments) in [
        ("dev", &["dev", "--set", "PORT=0"][..]),
        ("prod", &["prod"]),
    ] {
        let service = Service::start(&world, arguments);
        let answer = service.ask("/ask?q=What+is+staging+for");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        let (_, said) = service.stop(&world);
        let records = world.home().join(".local/state/ringfence/gateway");
        let records = fs::read_dir(records)
            .unwrap()
            .map(|file| file.unwrap().path());
        let own = format!("-{environment}.jsonl");
        let mut records = records.filter(|path| path.to_str().unwrap().ends_with(&own));
        let records = fs::read_to_string(records.next().unwrap()).unwrap();
        assert!(
            records.contains("\"gen_ai.provider.name\":\"mock\""),
            "{records}"
        );
        assert_eq!(
            records.contains("What is staging for"),
            environment == "dev",
            "{records}"
        );
        for key in ["test_assistant", "live_assistant"] {
            assert!(!records.contains(key) && !said.contains(key) && !answer.contains(key));
        }
    }
}

#[test]
fn every_environment_of_the_example_is_in_order() {
    let world = example();
    for environment in ["dev", "test", "staging", "prod"] {
        let outcome = world.ringfence(&["show", environment]);
        assert_eq!(
            (outcome.code, outcome.stderr.lines().count()),
            (Some(0), 1),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_examples_own_tests_pass() {
    let world = example();
    let outcome = Outcome::of(
        &world
            .any_command("python3")
            .args(["-m", "unittest"])
            .output()
            .unwrap(),
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}
