//! Packages are installed inside with a preset, from stand-ins for the registries that have their names and certificates of their own.

use crate::ground::scenario;
use crate::scene::{Running, Scene, eventually};

/// The registries, at the address that their names have on the ground.
fn registries(scene: &Scene) -> Running {
    let names = "subjectAltName=DNS:pypi.org,DNS:files.pythonhosted.org,DNS:registry.npmjs.org";
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=registry -days 2";
    let files = "-keyout ../registry.key -out registry.pem";
    scene
        .plain(&format!("{make} -addext {names} {files}"))
        .succeeded();
    let serve = "exec /usr/bin/python3 attacks/registry.py 10.30.0.6 registry.pem ../registry.key";
    let server = scene.spawn(&["sh", "-c", serve]);
    let ready = "curl -sf --cacert registry.pem https://pypi.org/simple/stand-in/";
    eventually("the registries", || scene.plain(ready).code == Some(0));
    server
}

fn allow(scene: &Scene, presets: &str) {
    let manifest = scene.read("ringfence.toml");
    scene.write(
        "ringfence.toml",
        format!("{manifest}[egress]\ndev = [{presets}]\n"),
    );
}

/// A package comes, as it does outside, when the preset is named; without it the refusal names the preset.
fn installs(scene: &Scene, install: &str, host: &str, preset: &str) {
    let _server = registries(scene);
    scene.plain(install).succeeded();
    let refused = scene.inside(install);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    refused.told(&[host, &format!("preset:{preset}")]);
    allow(scene, &format!("\"preset:{preset}\""));
    let outcome = scene.inside(install).succeeded();
    assert!(outcome.stdout.contains("from a "), "{outcome:?}");
    assert!(
        !outcome.stderr.contains("ringfence: blocked"),
        "{outcome:?}"
    );
}

/// Python's installer.
#[test]
fn pip_installs_with_a_preset() {
    scenario(&["pip", "openssl", "curl"], |scene| {
        let install = "rm -rf deps; /usr/bin/python3 -m pip install -q --retries 0 --disable-pip-version-check --no-cache-dir \
                       --cert registry.pem --target deps stand-in && PYTHONPATH=deps /usr/bin/python3 -c 'import stand_in'";
        installs(scene, install, "pypi.org", "pypi");
    });
}

/// npm.
#[test]
fn npm_installs_with_a_preset() {
    scenario(&["npm", "openssl", "curl"], |scene| {
        let install = "rm -rf node_modules package*.json; \
                       npm install --loglevel=error --no-audit --no-fund --fetch-retries=0 --cache=$(mktemp -d) --cafile=$PWD/registry.pem --registry=https://registry.npmjs.org/ stand-in-js && node -e 'require(\"stand-in-js\")'";
        installs(scene, install, "registry.npmjs.org", "npm");
    });
}
